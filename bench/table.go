package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/pprof"
	"text/tabwriter"
	"time"
)

// table is what is printed at the end.
type table struct{ rows []row }

type row struct{ title, what, ours, theirs, ratio, how string }

// group begins a group of rows about one program.
func (t *table) group(title, program string) {
	t.rows = append(t.rows, row{title: title, ours: program})
}

// add adds a time. theirs is nil where command lines have nothing like it.
func (t *table) add(what string, ours time.Duration, theirs parts) {
	r := row{what: what, ours: short(ours), how: theirs.String()}
	if sum := theirs.took(); sum > 0 {
		r.theirs = short(sum)
		r.ratio = theirs.atLeast() + fmt.Sprintf("%.1f×", float64(sum)/float64(ours))
	}
	t.rows = append(t.rows, r)
}

// cpu adds processor times, which other work on the machine disturbs less.
func (t *table) cpu(what string, ours cost, theirs parts) {
	r := row{what: what, ours: short(ours.cpu)}
	if sum := theirs.cpu(); sum > 0 {
		r.theirs, r.ratio = short(sum), theirs.atLeast()+fmt.Sprintf("%.1f×", float64(sum)/float64(ours.cpu))
	}
	t.rows = append(t.rows, r)
}

func (t *table) note(format string, d time.Duration, args ...any) {
	t.rows = append(t.rows, row{what: "  " + fmt.Sprintf(format, args...), ours: short(d)})
}

// memory adds a peak beside that of the largest tool.
func (t *table) memory(what string, ours int64, theirs parts) {
	r := row{what: what, ours: bytesText(ours)}
	var most part
	for _, p := range theirs {
		if p.peak > most.peak {
			most = p
		}
	}
	if most.peak > 0 && ours > 0 {
		r.theirs, r.how = bytesText(most.peak), most.tool
		r.ratio = fmt.Sprintf("%.1f×", float64(most.peak)/float64(ours))
	}
	t.rows = append(t.rows, r)
}

// walked adds what verifying a history took beside what git took for a sample of it, each as commits a second.
func (t *table) walked(w walked, peak int64, git cost) {
	rate := func(what string, took, theirs time.Duration) {
		ours := float64(w.Cold.Signatures) / took.Seconds()
		r := row{what: what, ours: fmt.Sprintf("%.0f/s", ours)}
		if theirs > 0 {
			r.theirs, r.how = fmt.Sprintf("%.0f/s", sample/theirs.Seconds()), fmt.Sprintf("git log --show-signature, %d commits", sample)
			r.ratio = fmt.Sprintf("%.0f×", ours/(sample/theirs.Seconds()))
		}
		t.rows = append(t.rows, r)
	}
	rate("commits verified, a second and core", w.Cold.CPU, git.cpu)
	rate("the same by the clock", w.Cold.Took, git.took)
	each := w.Cold.CPU / time.Duration(w.Cold.Signatures)
	t.rows = append(t.rows,
		row{what: "processor time of one", ours: fmt.Sprintf("%.1f µs", float64(each.Nanoseconds())/1000),
			how: fmt.Sprintf("crypto/ed25519 takes %.1f µs here for a signature alone", float64(w.Library.Nanoseconds())/1000)},
		row{what: fmt.Sprintf("one more step, %d signatures", w.One.Signatures), ours: short(w.One.Took)},
		row{what: fmt.Sprintf("nothing new, %d signatures", w.Nothing.Signatures), ours: short(w.Nothing.Took)})
	t.memory("peak memory", peak, nil)
}

func (t *table) print(out io.Writer) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, r := range t.rows {
		if r.title != "" {
			fmt.Fprintf(w, "%s\t\t\t\t\n", r.title)
			fmt.Fprintf(w, "  \t%s\tcommand lines\tratio\tof which\n", r.ours)
			continue
		}
		fmt.Fprintf(w, "  %s\t%s\t%s\t%s\t%s\n", r.what, r.ours, r.theirs, r.ratio, r.how)
	}
	w.Flush()
}

// short writes a duration with three digits.
func short(d time.Duration) string {
	switch {
	case d >= 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d >= time.Second:
		return fmt.Sprintf("%.2f s", d.Seconds())
	case d >= 10*time.Millisecond:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000)
}

func bytesText(n int64) string {
	if n == 0 {
		return "unknown"
	}
	return fmt.Sprintf("%d MB", n/1_000_000)
}

func absolute(program string) (string, error) {
	if _, err := os.Stat(program); err != nil {
		return "", fmt.Errorf("%s is not there: run make build, or name another with -reconciler", program)
	}
	return filepath.Abs(program)
}

// profiled begins a CPU profile, if one is wanted.
func (b *bench) profiled(name string) (stop func(), err error) {
	if b.profile == "" {
		return func() {}, nil
	}
	f, err := os.Create(b.profile + "." + name)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, err
	}
	return func() {
		pprof.StopCPUProfile()
		_ = f.Close()
	}, nil
}
