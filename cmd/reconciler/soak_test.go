//go:build unix

package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestSoak runs the daemon under load: commits by chance, at most five a second, a webhook for each, wrong webhooks among them, and
// targets that fail for a while. It demands that the daemon's memory, open files and goroutines do not grow: the second and the last
// quarter of the time are compared, since the first fills caches. Meanwhile the packs of its mirror, one for each fetch,
// are merged. Left alone, it brings every target to the head, and then needs next to no processor.
//
// LCM_SOAK is how long, as in 15m (make soak); 12s unless set.
func TestSoak(t *testing.T) {
	long, err := time.ParseDuration(os.Getenv("LCM_SOAK"))
	if err != nil {
		long = 12 * time.Second
	}
	seed := uint64(fromEnv("LCM_STORM_SEED", int(time.Now().UnixNano())))
	t.Logf("LCM_SOAK=%v LCM_STORM_SEED=%d", long, seed)
	s := &soak{storm: newStorm(t, rand.New(rand.NewPCG(seed, 0)))}
	s.start()
	s.keeps = true // more may not be deleted in a day
	s.load(long)
	s.flat()
	s.merged()
	s.settle()
	s.restful(min(long/3, time.Minute))
	s.stop()
	s.stands()
	s.othersStand()
	s.complete()
}

// soak is a storm around a daemon that nobody kills.
type soak struct {
	*storm
	cmd            *exec.Cmd
	log            *tail
	metrics, hook  string
	samples        []figures
	sent, rejected int
	mend           func() // what fails now; nil: nothing does
	mostPacks      int
}

// figures are what the daemon uses.
type figures struct{ heap, resident, files, goroutines float64 }

func (s *soak) start() {
	s.t.Helper()
	s.metrics, s.hook = free(s.t), free(s.t)
	s.write("hook-secret", "the-secret-of-the-hook\n")
	text, err := os.ReadFile(s.config)
	s.check(err)
	quiet := strings.NewReplacer("@every 1s", "@every 5s", "@every 3s", "@every 20s").Replace(string(text))
	s.write("daemon/reconciler.yaml", quiet+fmt.Sprintf("metrics: {listen: %q}\nwebhook: {listen: %q, ratePerMinute: 1000, github: {secretFile: ../hook-secret, repositories: {test-config: acme/config}}}\n", s.metrics, s.hook))
	s.log = &tail{}
	s.cmd = exec.Command("reconciler", "run", "--config", s.config, "--log-format", "json")
	s.cmd.Dir, s.cmd.Stdout, s.cmd.Stderr = s.dir, s.log, s.log
	s.check(s.cmd.Start())
	s.t.Cleanup(func() { _ = s.cmd.Process.Kill() })
	if !s.log.wait(`"msg":"pass"`, 1) {
		s.t.Fatal("it makes no pass:\n", s.log)
	}
}

// free is an address that nobody listens at.
func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// load commits, sends webhooks and breaks targets for so long, and looks at the daemon meanwhile.
func (s *soak) load(long time.Duration) {
	s.t.Helper()
	until, look, turn := time.Now().Add(long), time.Now(), time.Now()
	for time.Now().Before(until) {
		s.change()
		s.tell()
		if time.Now().After(turn) {
			s.turn()
			turn = time.Now().Add(time.Duration(1+s.chance.IntN(5)) * long / 100)
		}
		if time.Now().After(look) {
			s.samples = append(s.samples, s.look())
			look = time.Now().Add(long / 80)
		}
		time.Sleep(200*time.Millisecond + time.Duration(s.chance.IntN(200))*time.Millisecond)
	}
	if s.mend != nil {
		s.turn()
	}
}

// turn mends what fails, or has something fail.
func (s *soak) turn() {
	if s.mend != nil {
		s.mend()
		s.mend = nil
		return
	}
	kind := []guard{sealedVault, unreachable, nil}[s.chance.IntN(3)]
	s.gate.set(kind)
	mend := s.fillFolderOr(s.chance.IntN(2) == 0)
	s.proxy.set(s.chance.IntN(2) * (1 + s.chance.IntN(6000)))
	s.wire.set(s.chance.IntN(2) * (1 + s.chance.IntN(12_000)))
	s.mend = func() {
		s.gate.set(nil)
		s.proxy.set(0)
		s.wire.set(0)
		mend()
	}
}

func (s *soak) fillFolderOr(not bool) (mend func()) {
	if not {
		return func() {}
	}
	return s.fillFolder()
}

// tell sends the webhook of a push, and at times one that is wrong in some way.
func (s *soak) tell() {
	s.t.Helper()
	push := `{"ref":"refs/heads/main","repository":{"full_name":"acme/config"}}`
	if s.post(push, "the-secret-of-the-hook") != http.StatusAccepted {
		s.t.Error("a webhook was not accepted")
	}
	s.sent++
	if s.chance.IntN(4) > 0 {
		return
	}
	for wrong, code := range map[string]int{"a-wrong-secret-of-it": http.StatusUnauthorized, "the-secret-of-the-hook": http.StatusBadRequest} {
		if got := s.post(`{"ref":`, wrong); got != code {
			s.t.Errorf("a wrong webhook was answered %d, not %d", got, code)
		}
		s.rejected++
	}
}

func (s *soak) post(body, secret string) int {
	s.t.Helper()
	resp, err := http.DefaultClient.Do(delivery("http://"+s.hook+"/webhook/github", secret, body))
	s.check(err)
	s.check(resp.Body.Close())
	return resp.StatusCode
}

// look reads what the daemon uses now. The heap is what the garbage collector left, by when it comes next: twice that.
func (s *soak) look() figures {
	s.t.Helper()
	packs, err := filepath.Glob(s.path("daemon/state/mirror-test-config.git/objects/pack/*.pack"))
	s.check(err)
	s.mostPacks = max(s.mostPacks, len(packs))
	body := s.ask()
	return figures{metric(s.t, body, "go_memstats_next_gc_bytes") / 2, metric(s.t, body, "process_resident_memory_bytes"), metric(s.t, body, "process_open_fds"), metric(s.t, body, "go_goroutines")}
}

func (s *soak) ask() string {
	s.t.Helper()
	code, body, err := fetchURL("http://" + s.metrics + "/metrics")
	s.check(err)
	if code != http.StatusOK {
		s.t.Fatalf("the metrics are answered with %d: %s", code, body)
	}
	return body
}

// metric reads one that has no labels.
func metric(t *testing.T, body, name string) float64 {
	t.Helper()
	m := regexp.MustCompile(`(?m)^` + name + ` (\S+)$`).FindStringSubmatch(body)
	if m == nil {
		t.Fatalf("there is no metric %s in\n%s", name, body)
	}
	v, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// flat demands that nothing grew from the second quarter to the last, by their medians.
func (s *soak) flat() {
	s.t.Helper()
	n := len(s.samples) / 4
	if n < 3 {
		s.t.Fatalf("only %d samples", len(s.samples))
	}
	for _, what := range []struct {
		name  string
		of    func(figures) float64
		unit  float64
		slack float64 // what may come and go: connections to what failed, and what the collector has not yet been round to
	}{
		{"heap after collection, MB", func(f figures) float64 { return f.heap }, 1 << 20, 8},
		{"resident memory, MB", func(f figures) float64 { return f.resident }, 1 << 20, 24},
		{"open files", func(f figures) float64 { return f.files }, 1, 16},
		{"goroutines", func(f figures) float64 { return f.goroutines }, 1, 40},
	} {
		var quarters []float64
		for i := range 4 {
			var all []float64
			for _, f := range s.samples[i*n : (i+1)*n] {
				all = append(all, what.of(f)/what.unit)
			}
			slices.Sort(all)
			quarters = append(quarters, all[len(all)/2])
		}
		s.t.Logf("%-26s by quarters %.1f", what.name, quarters)
		if quarters[3] > quarters[1]*1.1+what.slack {
			s.t.Errorf("%s grew: %.1f", what.name, quarters)
		}
	}
}

// merged demands that the mirror's packs stay few, however many fetches there were.
func (s *soak) merged() {
	s.t.Helper()
	const most = 32 + 8 // as many as a mirror may have before they are merged, and some for approvals and the moment
	s.t.Logf("%d commits, %d webhooks, %d wrong ones; at most %d packs", s.commits, s.sent, s.rejected, s.mostPacks)
	if s.mostPacks > most {
		s.t.Errorf("the mirror has %d packs", s.mostPacks)
	}
}

// settle waits until all is carried out.
func (s *soak) settle() {
	s.t.Helper()
	for range 600 {
		code, body, err := fetchURL("http://" + s.metrics + "/status")
		s.check(err)
		if code == http.StatusOK && strings.Contains(body, `"processed":"`+string(s.head)) && strings.Contains(body, `"failed":[]`) && strings.Contains(body, `"held":[]`) && !strings.Contains(body, `"down":true`) {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	_, body, _ := fetchURL("http://" + s.metrics + "/status")
	s.t.Fatalf("left alone for a minute, it does not come to an end: %s\n%s", body, s.log)
}

// restful demands that a daemon without work needs less than a hundredth of a processor.
func (s *soak) restful(long time.Duration) {
	s.t.Helper()
	before := metric(s.t, s.ask(), "process_cpu_seconds_total")
	time.Sleep(long)
	share := 100 * (metric(s.t, s.ask(), "process_cpu_seconds_total") - before) / long.Seconds()
	s.t.Logf("idle for %v: %.2f %% of a processor", long, share)
	if share >= 1 && long >= time.Minute || share > 10 {
		s.t.Errorf("idle, it uses %.2f %% of a processor", share)
	}
}

func (s *soak) stop() {
	s.t.Helper()
	s.check(s.cmd.Process.Signal(os.Interrupt))
	err := s.cmd.Wait()
	if text := s.log.String(); err != nil || crashed(text) || !strings.Contains(text, `"msg":"stopped"`) {
		s.t.Errorf("the daemon ends with %v:\n%s", err, text[max(0, len(text)-4000):])
	}
	if bytes.Contains([]byte(s.log.String()), []byte("the-secret-of-the-hook")) {
		s.t.Error("the log tells the webhook's secret")
	}
}
