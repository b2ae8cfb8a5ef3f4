// Command etcdd serves one member of a real etcd, for tests. It prints one line when the member is ready,
// which in a cluster is when enough of the others are there, and ends when its standard input ends, so that
// no test leaves one behind.
//
// It is a module of its own because etcd's dependencies have no place in the product's go.mod. It is run
// by tests only and is part of no release.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/etcd/server/v3/storage/wal"
)

func main() { os.Exit(run()) }

func run() int {
	c, err := configuration(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "etcdd:", err)
		return 2
	}
	if err := serve(c); err != nil {
		fmt.Fprintln(os.Stderr, "etcdd:", err)
		return 1
	}
	return 0
}

// configuration turns flags into etcd's own configuration. The names are those of etcd's flags.
func configuration(args []string) (*embed.Config, error) {
	wal.SegmentSizeBytes = 4 << 20 // 64 MB is reserved otherwise
	c := embed.NewConfig()
	c.LogLevel, c.LogOutputs = "error", []string{"stderr"}
	c.TickMs, c.ElectionMs = 50, 500
	c.BcryptCost = 4 // the least there is: passwords of tests are no secrets
	var client, peer string
	flags := flag.NewFlagSet("etcdd", flag.ContinueOnError)
	flags.StringVar(&c.Name, "name", "m1", "the member's name")
	flags.StringVar(&c.Dir, "data-dir", "", "where it keeps its data")
	flags.StringVar(&c.InitialCluster, "initial-cluster", "", "name=peer-url,…")
	flags.StringVar(&client, "client-url", "", "where clients are served")
	flags.StringVar(&peer, "peer-url", "", "where other members are served")
	flags.Int64Var(&c.QuotaBackendBytes, "quota-backend-bytes", 0, "how large its data may grow; 0: 2 GiB")
	flags.UintVar(&c.MaxTxnOps, "max-txn-ops", embed.DefaultMaxTxnOps, "operations in a transaction")
	flags.UintVar(&c.MaxRequestBytes, "max-request-bytes", embed.DefaultMaxRequestBytes, "bytes of a request")
	flags.UintVar(&c.AuthTokenTTL, "auth-token-ttl", c.AuthTokenTTL, "seconds that a login lasts")
	flags.BoolVar(&c.UnsafeNoFsync, "unsafe-no-fsync", false, "survive the death of the process only, not of the machine")
	flags.StringVar(&c.ClientTLSInfo.CertFile, "cert-file", "", "the server's certificate")
	flags.StringVar(&c.ClientTLSInfo.KeyFile, "key-file", "", "the server's key")
	flags.StringVar(&c.ClientTLSInfo.TrustedCAFile, "trusted-ca-file", "", "who may vouch for clients")
	flags.BoolVar(&c.ClientTLSInfo.ClientCertAuth, "client-cert-auth", false, "demand a certificate of clients")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	for _, u := range []struct {
		text string
		to   []*[]url.URL
	}{
		{client, []*[]url.URL{&c.ListenClientUrls, &c.AdvertiseClientUrls}},
		{peer, []*[]url.URL{&c.ListenPeerUrls, &c.AdvertisePeerUrls}},
	} {
		parsed, err := url.Parse(u.text)
		if err != nil {
			return nil, err
		}
		for _, to := range u.to {
			*to = []url.URL{*parsed}
		}
	}
	return c, nil
}

func serve(c *embed.Config) error {
	member, err := embed.StartEtcd(c)
	if err != nil {
		return err
	}
	defer member.Close()
	ended := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		close(ended)
	}()
	select {
	case <-member.Server.ReadyNotify():
		fmt.Println("ready")
	case <-ended:
		return nil
	case err := <-member.Err():
		return err
	case <-time.After(time.Minute):
		return errors.New("not ready after a minute: are the other members there?")
	}
	select {
	case err := <-member.Err():
		return err
	case <-ended:
		return nil
	}
}
