package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// cost is what some work took.
type cost struct {
	took time.Duration
	cpu  time.Duration // of all processors, in the program and the kernel
	peak int64         // bytes of resident memory; 0: not known
	out  []byte
}

// run runs a program to its end in dir. Its peak memory is what the kernel says of it (VmHWM), read while
// it runs: what the kernel says at the end counts the memory of the parent, too.
func run(ctx context.Context, dir string, name string, args ...string) (cost, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "SOPS_AGE_KEY_FILE=age.txt", "HOME="+dir, "XDG_CONFIG_HOME="+dir)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return cost{}, err
	}
	stop, peak := make(chan struct{}), make(chan int64)
	go func() { peak <- watch(cmd.Process.Pid, stop) }()
	err := cmd.Wait()
	took := time.Since(start)
	close(stop)
	c := cost{took: took, cpu: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), peak: <-peak, out: out.Bytes()}
	if err != nil {
		return c, fmt.Errorf("%s %s: %w\n%.2000s", name, strings.Join(args[:min(len(args), 6)], " "), err, c.out)
	}
	return c, nil
}

// watch reads a process's peak memory until stop is closed.
func watch(pid int, stop <-chan struct{}) int64 {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	var peak int64
	for {
		peak = max(peak, highWater(pid))
		select {
		case <-stop:
			return peak
		case <-tick.C:
		}
	}
}

// highWater is VmHWM of a process; 0 where there is no /proc.
func highWater(pid int) int64 {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(data)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kb, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return kb << 10
		}
	}
	return 0
}

// find looks for a tool among those that scripts/bench built, then on the machine.
func find(dir, name string) (string, error) {
	built, err := filepath.Abs(filepath.Join(dir, name))
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(built); err == nil {
		return built, nil
	}
	found, err := exec.LookPath(name)
	if err != nil {
		return "", errNotInstalled
	}
	return found, nil
}

var errNotInstalled = errors.New("not installed")
