// Command vaultd serves a real Vault for tests, from memory or from a folder: initialised, unsealed, KV
// version 2 at secret/, an AppRole with the least rights that the reconciler needs. It prints one line of
// JSON when it is ready and ends when its standard input ends, so that no test leaves one behind.
//
// It is a module of its own because Vault's dependencies have no place in the product's go.mod. It
// is run by tests only and is part of no release.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

type options struct {
	policyFile string
	tokenTTL   time.Duration
	data       string
	listen     string
	verbose    bool
}

// ready is the line that vaultd prints, and keeps in its folder to start again from.
type ready struct {
	Address   string `json:"address"`
	UnsealKey string `json:"unsealKey"` // in hex
	RootToken string `json:"rootToken"`
	RoleID    string `json:"roleId"`
	SecretID  string `json:"secretId"`
}

func main() { os.Exit(run()) }

func run() int {
	var o options
	flag.StringVar(&o.policyFile, "policy", "", "file of the policy of the AppRole (HCL); without it the role may do nothing")
	flag.DurationVar(&o.tokenTTL, "token-ttl", time.Hour, "how long a token of the AppRole lives")
	flag.StringVar(&o.data, "data", "", "folder in which Vault keeps everything, to be started on again; without it, memory")
	flag.StringVar(&o.listen, "listen", "127.0.0.1:0", "where to listen")
	flag.BoolVar(&o.verbose, "verbose", false, "write Vault's own log to standard error")
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintln(os.Stderr, "vaultd: takes no arguments")
		return 2
	}
	if err := serve(o); err != nil {
		fmt.Fprintln(os.Stderr, "vaultd:", err)
		return 1
	}
	return 0
}

func serve(o options) error {
	r, again, err := restore(o.data)
	if err != nil {
		return err
	}
	server, err := newServer(o, &r)
	if err != nil {
		return fmt.Errorf("starting Vault: %w", err)
	}
	defer server.close()

	l, err := net.Listen("tcp", o.listen)
	if err != nil {
		return err
	}
	h := &http.Server{Handler: server.handler, ReadHeaderTimeout: 10 * time.Second}
	served := make(chan error, 1)
	go func() { served <- h.Serve(l) }()
	defer h.Close()

	r.Address = "http://" + l.Addr().String()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if again {
		err = caller{r.Address, r.RootToken}.waitFor(ctx, "secret/config")
	} else if err = configure(ctx, &r, o); err == nil {
		err = keep(o.data, r)
	}
	if err != nil {
		return fmt.Errorf("configuring Vault: %w", err)
	}
	if err := json.NewEncoder(os.Stdout).Encode(r); err != nil {
		return err
	}

	ended := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		close(ended)
	}()
	select {
	case err := <-served:
		return err
	case <-ended:
		return nil
	}
}

// restore reads what an earlier run kept in the folder, if there was one.
func restore(data string) (r ready, again bool, err error) {
	if data == "" {
		return r, false, nil
	}
	line, err := os.ReadFile(filepath.Join(data, "ready.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return r, false, nil
	}
	if err == nil {
		err = json.Unmarshal(line, &r)
	}
	return r, true, err
}

func keep(data string, r ready) error {
	if data == "" {
		return nil
	}
	line, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(data, "ready.json"), line, 0o600)
}
