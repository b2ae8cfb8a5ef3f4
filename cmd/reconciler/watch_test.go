package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/llm-config-manager/lcm/internal/gitrepo"
	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/trust"
)

// beat WHO HEAD AGE: puts a heartbeat into the origin.
func cmdBeat(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: beat WHO HEAD AGE")
	}
	age, err := lcm.ParseDuration(args[2])
	ts.Check(err)
	h := trust.Heartbeat{Repository: "test-config", Branch: "main", Head: lcm.Revision(args[1]), At: time.Now().Add(-age)}
	document, err := h.Sign(gitrepo.SSHSignerFor(trust.HeartbeatNamespace, signerOf(args[0])))
	ts.Check(err)
	_, err = repoOf(ts).SetHeartbeat(document)
	ts.Check(err)
}

// port FILE [NAME]: replaces PORT, or that name, in a file by one that is free, and sets $port, or the name in small letters.
func cmdPort(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 || len(args) > 2 {
		ts.Fatalf("usage: port FILE [NAME]")
	}
	name := append(args, "PORT")[1]
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Check(l.Close())
	port := strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
	ts.Setenv(strings.ToLower(name), port)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.ReplaceAll(ts.ReadFile(args[0]), name, port)), 0o644))
}

// ask CODE PATH TEXT…: asks a daemon on $port until it answers with that code and all the texts, for half a
// minute at most. The last answer is in the file "answer".
func cmdAsk(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: ask CODE PATH TEXT...")
	}
	url := "http://127.0.0.1:" + ts.Getenv("port") + args[1]
	last := ""
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		code, body, err := fetchURL(url)
		if last = fmt.Sprint(code, " ", body, err); err != nil {
			continue
		}
		if strconv.Itoa(code) == args[0] && containsAll(body, args[2:]) {
			ts.Check(os.WriteFile(ts.MkAbs("answer"), []byte(body), 0o644))
			return
		}
	}
	ts.Fatalf("%s never answered %s with %q, but:\n%s", url, args[0], args[2:], last)
}

func containsAll(text string, parts []string) bool {
	for _, p := range parts {
		if !strings.Contains(text, p) {
			return false
		}
	}
	return true
}

func fetchURL(url string) (code int, body string, err error) {
	resp, err := (&http.Client{Timeout: 5 * time.Second}).Get(url)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(data), err
}
