// Command vaultd serves a real Vault from memory, for tests: initialised, unsealed, KV version 2 at
// secret/, an AppRole with the least rights that the reconciler needs. It prints one line of JSON
// when it is ready and ends when its standard input ends, so that no test leaves one behind.
//
// It is a module of its own because Vault's dependencies have no place in the product's go.mod. It
// is run by tests only and is part of no release.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"
)

type options struct {
	policyFile string
	tokenTTL   time.Duration
	verbose    bool
}

// ready is the line that vaultd prints.
type ready struct {
	Address   string `json:"address"`
	RootToken string `json:"rootToken"`
	RoleID    string `json:"roleId"`
	SecretID  string `json:"secretId"`
}

func main() { os.Exit(run()) }

func run() int {
	var o options
	flag.StringVar(&o.policyFile, "policy", "", "file of the policy of the AppRole (HCL); without it the role may do nothing")
	flag.DurationVar(&o.tokenTTL, "token-ttl", time.Hour, "how long a token of the AppRole lives")
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
	server, err := newServer(o.verbose)
	if err != nil {
		return fmt.Errorf("starting Vault: %w", err)
	}
	defer server.close()

	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	h := &http.Server{Handler: server.handler, ReadHeaderTimeout: 10 * time.Second}
	served := make(chan error, 1)
	go func() { served <- h.Serve(l) }()
	defer h.Close()

	r := ready{Address: "http://" + l.Addr().String(), RootToken: server.rootToken}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := configure(ctx, &r, o); err != nil {
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
