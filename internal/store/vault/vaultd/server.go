package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"slices"

	"github.com/hashicorp/go-hclog"
	kv "github.com/hashicorp/vault-plugin-secrets-kv"
	"github.com/hashicorp/vault/builtin/credential/approle"
	vaulthttp "github.com/hashicorp/vault/http"
	"github.com/hashicorp/vault/internalshared/configutil"
	"github.com/hashicorp/vault/sdk/helper/consts"
	"github.com/hashicorp/vault/sdk/logical"
	"github.com/hashicorp/vault/sdk/physical/inmem"
	"github.com/hashicorp/vault/vault"
)

type server struct {
	core      *vault.Core
	handler   http.Handler
	rootToken string
}

// newServer makes a Vault in memory, initialised with one key share and unsealed.
func newServer(verbose bool) (*server, error) {
	log := hclog.New(&hclog.LoggerOptions{Name: "vault", Output: os.Stderr, Level: hclog.Off})
	if verbose {
		log.SetLevel(hclog.Info)
	}
	backend, err := inmem.NewInmem(nil, log)
	if err != nil {
		return nil, err
	}
	core, err := vault.NewCore(&vault.CoreConfig{
		Physical:           backend,
		Logger:             log,
		DisableMlock:       true, // nothing in here is worth it, and it needs a privilege
		LogicalBackends:    map[string]logical.Factory{"kv": kv.Factory},
		CredentialBackends: map[string]logical.Factory{"approle": approle.Factory},
		BuiltinRegistry: registry{
			consts.PluginTypeSecrets:    {"kv": kv.Factory},
			consts.PluginTypeCredential: {"approle": approle.Factory},
		},
	})
	if err != nil {
		return nil, err
	}
	s := &server{core: core}
	if s.rootToken, err = unseal(core); err != nil {
		s.close()
		return nil, err
	}
	s.handler = vaulthttp.Handler.Handler(&vault.HandlerProperties{
		Core:           core,
		ListenerConfig: &configutil.Listener{},
	})
	return s, nil
}

func unseal(core *vault.Core) (rootToken string, err error) {
	one := &vault.SealConfig{SecretShares: 1, SecretThreshold: 1}
	initialised, err := core.Initialize(context.Background(), &vault.InitParams{BarrierConfig: one})
	if err != nil {
		return "", fmt.Errorf("initialising: %w", err)
	}
	open, err := core.Unseal(initialised.SecretShares[0])
	if err != nil {
		return "", fmt.Errorf("unsealing: %w", err)
	}
	if !open {
		return "", fmt.Errorf("unsealing: one key share was not enough")
	}
	return initialised.RootToken, nil
}

func (s *server) close() { _ = s.core.Shutdown() }

// registry is the list of engines that this Vault has built in.
type registry map[consts.PluginType]map[string]logical.Factory

func (r registry) Contains(name string, kind consts.PluginType) bool {
	_, ok := r[kind][name]
	return ok
}

func (r registry) Get(name string, kind consts.PluginType) (func() (any, error), bool) {
	f, ok := r[kind][name]
	return func() (any, error) { return f, nil }, ok
}

func (r registry) Keys(kind consts.PluginType) []string {
	var names []string
	for name := range r[kind] {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (r registry) DeprecationStatus(name string, kind consts.PluginType) (consts.DeprecationStatus, bool) {
	if !r.Contains(name, kind) {
		return consts.Unknown, false
	}
	return consts.Supported, true
}

func (registry) IsBuiltinEntPlugin(string, consts.PluginType) bool { return false }
