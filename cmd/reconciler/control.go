package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/reconcile"
)

// While the daemon runs it holds the state and embedded targets, which one process has at a time. So it does what its
// operator asks itself, over a socket beside the state that only its own user may use.

// control is where a daemon is asked.
func (c *daemonConfig) control() string { return c.beside("control.sock") }

// answer is what a command prints, and how it ends.
type answer struct {
	Code   int    `json:"code"`
	Stdout string `json:"stdout"`
	Stderr string `json:"stderr"`
}

// maxAnswer bounds how much is read of an answer, in bytes.
const maxAnswer = 1 << 30

// answering serves the socket until ctx ends. That it can't be made stops nobody but those who would ask.
func (d *running) answering(ctx context.Context) error {
	a, c := d.current()
	log := d.log
	l, err := listenAlone(c.control())
	if err != nil {
		log.Warn("this daemon can't be asked or told anything while it runs", "error", err)
		return nil
	}
	defer os.Remove(c.control())
	mux := http.NewServeMux()
	mux.HandleFunc("POST /plan", d.on((*app).answerPlan))
	mux.HandleFunc("GET /status", d.on((*app).answerStatus))
	mux.HandleFunc("GET /history", d.on((*app).answerHistory))
	mux.HandleFunc("POST /reconcile", d.on((*app).answerReconcile))
	mux.HandleFunc("POST /reload", d.answerReload)
	mux.HandleFunc("POST /suspend", d.on((*app).answerSuspend))
	s := &http.Server{Handler: a.leading(mux), ReadHeaderTimeout: 10 * time.Second, ConnContext: withPeer, BaseContext: func(net.Listener) context.Context { return ctx },
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn)}
	stop := context.AfterFunc(ctx, func() { s.Close() })
	defer stop()
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("the control socket: %w", err)
	}
	return nil
}

// listenAlone listens on a socket of the file system that only this user may use. The state is ours, so what is
// there already was left by a process that is gone. The socket is made in a folder that nobody else may enter, so that it
// never stands open.
func listenAlone(path string) (net.Listener, error) {
	tmp, err := os.MkdirTemp(filepath.Dir(path), ".c")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(tmp)
	made := filepath.Join(tmp, "s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: made, Net: "unix"})
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false) // it has another name by then
	if err := errors.Join(os.Chmod(made, 0o600), os.Rename(made, path)); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

func (a *app) answerPlan(w http.ResponseWriter, r *http.Request) {
	var out, errs bytes.Buffer
	colour, _ := strconv.ParseBool(r.FormValue("colour"))
	c := &cli{stdout: &out, stderr: &errs, format: r.FormValue("format"), colour: colour}
	drift, _ := strconv.ParseBool(r.FormValue("drift"))
	o := reconcile.Options{DryRun: true, Everything: drift}
	despite := despiting{patterns: r.Form["despite"]}
	exceptions, err := despite.foreseen()
	o.Despite, err = exceptions, errors.Join(err, c.checkFormat())
	if rev := r.FormValue("revision"); err == nil && rev != "" {
		if o.Revision = lcm.Revision(rev); !lcm.ValidRevision(rev) {
			err = configErrorf("%q is no whole commit id", rev)
		}
	}
	repositories, unknown := a.chosen(r.FormValue("repository"))
	if err = cmp.Or(err, unknown); err == nil {
		err = c.passes(r.Context(), repositories, o)
	}
	code := c.end(err)
	writeAnswer(w, answer{code, out.String(), errs.String()})
}

func (a *app) answerStatus(w http.ResponseWriter, r *http.Request) {
	served, err := a.named(r.FormValue("repository"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	s, err := served.statusFor(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	writeAnswer(w, s)
}

func writeAnswer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // whoever asked is gone
}

// errNoDaemon is that no daemon runs on this state, or none that can be asked.
var errNoDaemon = errors.New("no daemon answers")

// askDaemon asks the daemon that runs on this state.
func askDaemon(ctx context.Context, c *daemonConfig, method, what string, form url.Values, into any) error {
	dialer := &net.Dialer{}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		conn, err := dialer.DialContext(ctx, "unix", c.control())
		if errors.Is(err, os.ErrPermission) {
			return nil, fmt.Errorf("asking the daemon: %w: do it as the user that it runs as", err)
		}
		if err != nil {
			return nil, errNoDaemon
		}
		return conn, nil
	}}}
	req, err := http.NewRequestWithContext(ctx, method, "http://daemon/"+what+"?"+form.Encode(), nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if urlErr := new(url.Error); errors.As(err, &urlErr) {
		return urlErr.Err
	} else if err != nil {
		return err
	}
	defer resp.Body.Close()
	body := io.LimitReader(resp.Body, maxAnswer)
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(body, 300))
		return fmt.Errorf("the daemon answers %d: %q", resp.StatusCode, text)
	}
	return json.NewDecoder(body).Decode(into)
}

// planOfDaemon has the running daemon make the plan; errNoDaemon if there is none.
func (c *cli) planOfDaemon(ctx context.Context, cfg *daemonConfig, o reconcile.Options) error {
	form := url.Values{"format": {c.format}, "revision": {string(o.Revision)},
		"colour": {strconv.FormatBool(c.colour)}, "drift": {strconv.FormatBool(o.Everything)}, "repository": {c.repository}}
	for _, e := range o.Despite {
		form.Add("despite", e.Namespaces)
	}
	return c.asked(ctx, cfg, http.MethodPost, "plan", form)
}

// asked has the running daemon do what a command does, and ends as it does.
func (c *cli) asked(ctx context.Context, cfg *daemonConfig, method, what string, form url.Values) error {
	var a answer
	if err := askDaemon(ctx, cfg, method, what, form, &a); err != nil {
		return err
	}
	_, err := io.WriteString(c.stdout, a.Stdout)
	_, errErr := io.WriteString(c.stderr, a.Stderr)
	if err := errors.Join(err, errErr); err != nil || a.Code == exitDone {
		return err
	}
	return outcome{a.Code}
}
