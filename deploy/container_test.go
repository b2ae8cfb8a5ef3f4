package deploy

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/llm-config-manager/lcm/internal/nestedtest"
)

// TestContainer makes what the container file says, without a container engine: it gives the commands of the first stage to a
// shell, copies into an empty root what the last stage copies, and runs the entry point in it, in namespaces, as the user that the
// file names, who is not root, with a root that cannot be written.
func TestContainer(t *testing.T) {
	image := build(t)
	if out, err := image.run("keygen", "/usr/local/bin/key").CombinedOutput(); err == nil || !strings.Contains(string(out), "read-only file system") {
		t.Errorf("writing to the root: %v\n%s", err, out)
	}
	if out, err := image.run("demo", "--dir", "/var/lib/lcm/demo").CombinedOutput(); err != nil || !strings.Contains(string(out), "1. First pass") {
		t.Fatalf("the main job: %v\n%s", err, out)
	}
	image.configure(t)
	cmd := image.run() // what the file says
	log, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	killed := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
	defer killed.Stop()
	var seen bytes.Buffer
	stopped := false
	for lines := bufio.NewScanner(log); lines.Scan(); {
		fmt.Fprintln(&seen, lines.Text())
		if !stopped && strings.Contains(lines.Text(), "msg=pass ") {
			image.unprivileged(t, cmd.Process.Pid)
			stopped = cmd.Process.Signal(syscall.SIGTERM) == nil
		}
	}
	if err := cmd.Wait(); err != nil || !stopped {
		t.Errorf("the daemon: %v\n%s", err, &seen)
	}
}

// image is a root with what the container file puts there, and what is mounted.
type image struct {
	root, state, etc string
	user             string
	entrypoint, cmd  []string
}

var instruction = regexp.MustCompile(`(?m)^([A-Z]+) (.*(?:\\\n.*)*)$`)

func build(t *testing.T) *image {
	t.Helper()
	for _, program := range []string{"unshare", "chroot", "mount", "setpriv"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Fatalf("%s is needed: %v", program, err)
		}
	}
	text, err := os.ReadFile("container/Containerfile")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	i := &image{root: dir + "/root", state: dir + "/state", etc: dir + "/etc"}
	for _, d := range []string{i.root + "/etc/lcm", i.root + "/tmp", i.root + "/proc", i.state, i.etc, dir + "/out"} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	stage := 0
	for _, m := range instruction.FindAllStringSubmatch(string(text), -1) {
		if m[1] == "FROM" {
			stage++
			continue
		}
		if err := i.instruct(t, stage, m[1], strings.ReplaceAll(m[2], "\\\n", ""), dir+"/out/"); err != nil {
			t.Fatalf("%s: %v", m[0], err)
		}
	}
	if os.Geteuid() == 0 { // as whoever makes the volume does
		if err := os.Chown(i.state, 65532, 65532); err != nil {
			t.Fatal(err)
		}
	}
	if i.user == "" || i.user == "root" || strings.HasPrefix(i.user, "0") || len(i.entrypoint) == 0 || len(i.cmd) == 0 {
		t.Fatalf("the file sets no user, or root, or no command: %+v", i)
	}
	return i
}

// instruct carries out one instruction. What an engine only notes down is left out.
func (i *image) instruct(t *testing.T, stage int, what, args, out string) error {
	switch {
	case what == "RUN" && stage == 1:
		cmd := exec.Command("sh", "-c", strings.ReplaceAll(args, "/out/", out))
		cmd.Dir = nestedtest.Folder(t, ".")
		if text, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%w\n%s", err, text)
		}
	case what == "RUN":
		return errors.New("the last stage has no shell")
	case what == "COPY" && stage == 2:
		return i.copy(nestedtest.Folder(t, "."), strings.Fields(args), out)
	case what == "USER":
		i.user = args
	case what == "WORKDIR" && stage == 2:
		return os.MkdirAll(i.root+args, 0o755)
	case what == "ENTRYPOINT":
		return json.Unmarshal([]byte(args), &i.entrypoint)
	case what == "CMD":
		return json.Unmarshal([]byte(args), &i.cmd)
	}
	return nil
}

func (i *image) copy(context string, args []string, out string) error {
	from, to := context, args[len(args)-1]
	sources := args[:len(args)-1]
	if sources[0] == "--from=build" {
		from, sources = "/", sources[1:]
	}
	for _, s := range sources {
		target := i.root + to
		if strings.HasSuffix(to, "/") && s != "/out/" {
			target = filepath.Join(target, filepath.Base(s))
		}
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			return err
		}
		source := filepath.Join(from, s)
		if s == "/out/" {
			source = out + "."
		}
		if text, err := exec.Command("cp", "-r", source, target).CombinedOutput(); err != nil {
			return fmt.Errorf("%w: %s", err, text)
		}
	}
	return nil
}

// enter makes the root read-only in a mount namespace of its own, and mounts what the file's comment mounts. The last line
// becomes the user: as root by setuid, else in a user namespace.
const enter = `set -e
mount --bind "$ROOT" "$ROOT"
mount --bind "$STATE" "$ROOT/var/lib/lcm"
mount --bind "$ETC" "$ROOT/etc/lcm"
mount -t tmpfs -o mode=1777 tmpfs "$ROOT/tmp"
mount -o remount,bind,ro,nosuid,nodev "$ROOT"
export PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin
if [ "$SELF" = 0 ]; then
  exec setpriv --no-new-privs chroot --userspec="$WHO" "$ROOT" "$@"
fi
exec unshare --user --map-user="${WHO%%:*}" --map-group="${WHO##*:}" --root="$ROOT" "$@"
`

// run is a command of the image: the entry point with arguments, or with those of the file.
func (i *image) run(args ...string) *exec.Cmd {
	if len(args) == 0 {
		args = i.cmd
	}
	namespaces := []string{"--mount"}
	if os.Geteuid() != 0 {
		namespaces = append(namespaces, "--user", "--map-root-user")
	}
	program := append([]string{"/usr/local/bin/" + i.entrypoint[0]}, i.entrypoint[1:]...)
	cmd := exec.Command("unshare", append(append(append(namespaces, "sh", "-c", enter, "sh"), program...), args...)...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "ROOT=" + i.root, "STATE=" + i.state, "ETC=" + i.etc, "WHO=" + i.user, fmt.Sprintf("SELF=%d", os.Geteuid())}
	return cmd
}

var relative = regexp.MustCompile(`((?:url|path|identityFile): )`)

// configure makes the demo's configuration that of /etc/lcm.
func (i *image) configure(t *testing.T) {
	t.Helper()
	text, err := os.ReadFile(i.state + "/demo/reconciler.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(i.etc+"/reconciler.yaml", relative.ReplaceAll(text, []byte("${1}/var/lib/lcm/demo/")), 0o644); err != nil {
		t.Fatal(err)
	}
}

// unprivileged holds a process to what the file promises: the user, no capability, and none to be had.
func (i *image) unprivileged(t *testing.T, pid int) {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	wanted := []string{"CapEff:\t0000000000000000"}
	if os.Geteuid() == 0 { // in a user namespace the numbers seen from outside are ours
		uid := strings.Split(i.user, ":")[0]
		wanted = append(wanted, "Uid:\t"+uid+"\t"+uid, "NoNewPrivs:\t1")
	}
	for _, want := range wanted {
		if !strings.Contains(string(status), want) {
			t.Errorf("the daemon's process has no %q:\n%s", want, status)
		}
	}
}
