package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"net"
	"net/http"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/masterkey"
	"github.com/llm-config-manager/lcm/internal/reconcile"
	"github.com/llm-config-manager/lcm/internal/store"
	"github.com/llm-config-manager/lcm/internal/webhook"
)

// webhooks measures, on one repository, how long it takes from a signed webhook's first byte, over a new connection, until the
// value of the commit that it tells of is read from the target. The daemon is in this process, with its loop and its server.
func (b *bench) webhooks(ctx context.Context, dir string, documents int) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "making a signed repository of %d documents for webhooks ...\n", documents)
	w, err := newWorld(dir, documents, 0)
	if err != nil {
		return err
	}
	defer w.repo.Close()
	if _, err := masterkey.Generate(w.path("state/lcm.key")); err != nil {
		return err
	}
	d, err := w.serve(ctx)
	if err != nil {
		return err
	}
	took, err := b.deliver(ctx, w, d)
	if err := errors.Join(err, d.close()); err != nil {
		return err
	}
	b.table.group(fmt.Sprintf("webhooks, %d documents", w.documents()), "reconciler")
	b.table.add(fmt.Sprintf("from a webhook to the value, median of %d", len(took)), quantile(took, 0.5), nil)
	for _, q := range []struct {
		name string
		of   float64
	}{{"90 %% within", 0.9}, {"99 %% within", 0.99}, {"the slowest", 1}} {
		b.table.note(q.name, quantile(took, q.of))
	}
	fmt.Printf("webhook to value, %d documents, %d times:\n%s", w.documents(), len(took), histogram(took))
	return nil
}

// quantile is the value that this part of them does not exceed. They are sorted.
func quantile(sorted []time.Duration, part float64) time.Duration {
	return sorted[max(0, int(math.Ceil(part*float64(len(sorted))))-1)]
}

// histogram counts by steps of ten milliseconds.
func histogram(sorted []time.Duration) string {
	const step = 10 * time.Millisecond
	var out strings.Builder
	for from := sorted[0].Truncate(step); len(sorted) > 0; from += step {
		n, _ := slices.BinarySearch(sorted, from+step)
		if sorted = sorted[n:]; n > 0 {
			fmt.Fprintf(&out, "  %5s to %5s  %5d\n", from, from+step, n)
		}
	}
	return out.String()
}

// deliver changes one key after another, tells the daemon, and returns how long each took, sorted.
func (b *bench) deliver(ctx context.Context, w *world, d *daemonServer) ([]time.Duration, error) {
	stop, err := b.profiled("webhook")
	if err != nil {
		return nil, err
	}
	defer stop()
	var all []time.Duration
	for range b.hooks {
		file, err := w.change()
		if err != nil {
			return nil, err
		}
		address, err := lcm.ParseAddress(strings.TrimSuffix(strings.TrimPrefix(file, "namespaces/"), path.Ext(file)))
		if err != nil {
			return nil, err
		}
		took, err := d.tell(ctx, address, w.head)
		if err != nil {
			return nil, err
		}
		all = append(all, took)
	}
	slices.Sort(all)
	return all, nil
}

// daemonServer is a daemon that hears webhooks, and tells when a value has arrived.
type daemonServer struct {
	*running
	url     string
	arrived chan arrival
	passed  chan error
	stop    context.CancelFunc
	group   *errgroup.Group
}

// arrival is an entry that was read back from the target after a batch.
type arrival struct {
	at       time.Time
	address  lcm.Address
	revision lcm.Revision
}

const hookSecret = "a-secret-for-the-benchmark"

// serve starts a daemon, lets it make its first pass, and opens its webhook.
func (w *world) serve(ctx context.Context) (*daemonServer, error) {
	secret := w.path("hook-secret")
	if err := os.WriteFile(secret, []byte(hookSecret), 0o600); err != nil {
		return nil, err
	}
	d := &daemonServer{arrived: make(chan arrival, 16), passed: make(chan error, 1)}
	var err error
	if d.running, err = w.startWith(func(t store.Target) store.Target { return &watchedTarget{t, d.arrived} }); err != nil {
		return nil, err
	}
	if _, err := d.Pass(ctx, reconcile.Options{}); err != nil {
		return nil, errors.Join(err, d.running.close())
	}
	for len(d.arrived) > 0 {
		<-d.arrived
	}
	hooks, err := webhook.New(webhook.Config{GitHub: secret, RatePerMinute: 1_000_000, Repositories: []webhook.Repository{
		{Name: repositoryName, Forge: []string{"bench/" + repositoryName}, Branch: "main", Poke: d.Poke}}})
	if err != nil {
		return nil, errors.Join(err, d.running.close())
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, errors.Join(err, d.running.close())
	}
	d.url = "http://" + l.Addr().String() + "/webhook/github"
	ctx, d.stop = context.WithCancel(ctx)
	d.group, ctx = errgroup.WithContext(ctx)
	d.group.Go(func() error { return hooks.Serve(ctx, l) })
	d.group.Go(func() error {
		return d.Run(ctx, reconcile.Schedule{Passes: "@yearly"}, func(r *reconcile.Report, err error) {
			if err == nil && (r.Refusal != nil || len(r.Held) > 0 || len(r.Failed) > 0) {
				err = fmt.Errorf("a pass went wrong: %d namespaces held, %d failed, refusal: %v", len(r.Held), len(r.Failed), r.Refusal)
			}
			d.passed <- err
		})
	})
	return d, <-d.passed
}

func (d *daemonServer) close() error {
	d.stop()
	return errors.Join(d.group.Wait(), d.running.close())
}

// tell sends the webhook of a push, and returns how long it took until the entry that it changed was read from the target. It returns
// once the pass is over.
func (d *daemonServer) tell(ctx context.Context, want lcm.Address, head lcm.Revision) (time.Duration, error) {
	body := fmt.Appendf(nil, `{"ref":"refs/heads/main","after":%q,"repository":{"full_name":"bench/%s"}}`, head, repositoryName)
	mac := hmac.New(sha256.New, []byte(hookSecret))
	mac.Write(body)
	begun := time.Now()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.url, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.Close = true
	req.Header.Set("X-GitHub-Event", "push")
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(mac.Sum(nil)))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	if resp.Body.Close(); resp.StatusCode != http.StatusAccepted {
		return 0, fmt.Errorf("the webhook was answered %s", resp.Status)
	}
	if err := <-d.passed; err != nil {
		return 0, err
	}
	select {
	case got := <-d.arrived:
		if got.address != want || got.revision != head {
			return 0, fmt.Errorf("%s of %s arrived, and not %s of %s", got.address, got.revision.Short(), want, head.Short())
		}
		return got.at.Sub(begun), nil
	default:
		return 0, fmt.Errorf("%s did not arrive", want)
	}
}

// watchedTarget reads each entry back as soon as its batch is carried out: nobody has to ask all the time, which would take from the
// daemon what is measured.
type watchedTarget struct {
	store.Target
	arrived chan arrival
}

func (t *watchedTarget) Apply(ctx context.Context, b store.Batch) error {
	if err := t.Target.Apply(ctx, b); err != nil {
		return err
	}
	if len(b.Changes) != 1 || b.Changes[0].Action != store.Update {
		return nil // of the first pass
	}
	address := b.Namespace.Key(b.Changes[0].Key)
	value, meta, err := t.Target.Get(ctx, address)
	if err != nil || !bytes.Equal(value, b.Changes[0].Value) {
		return fmt.Errorf("%s was not read back as it was written: %w", address, err)
	}
	t.arrived <- arrival{time.Now(), address, meta.Revision}
	return nil
}
