package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"net/http"
	"os"
	"slices"

	"github.com/hashicorp/go-hclog"
	jwt "github.com/hashicorp/vault-plugin-auth-jwt"
	kubernetes "github.com/hashicorp/vault-plugin-auth-kubernetes"
	kv "github.com/hashicorp/vault-plugin-secrets-kv"
	"github.com/hashicorp/vault/builtin/credential/approle"
	vaulthttp "github.com/hashicorp/vault/http"
	"github.com/hashicorp/vault/internalshared/configutil"
	"github.com/hashicorp/vault/sdk/helper/consts"
	"github.com/hashicorp/vault/sdk/logical"
	"github.com/hashicorp/vault/vault"
)

type server struct {
	core    *vault.Core
	handler http.Handler
}

var credentials = map[string]logical.Factory{"approle": approle.Factory, "jwt": jwt.Factory, "kubernetes": kubernetes.Factory}

// newServer makes a Vault, unsealed. One that is new it initialises with one key share, and notes that
// and the root token in r.
func newServer(o options, r *ready) (*server, error) {
	log := hclog.New(&hclog.LoggerOptions{Name: "vault", Output: os.Stderr, Level: hclog.Off})
	if o.verbose {
		log.SetLevel(hclog.Info)
	}
	backend, err := storage(o.data, log)
	if err != nil {
		return nil, err
	}
	core, err := vault.NewCore(&vault.CoreConfig{
		Physical:           backend,
		Logger:             log,
		DisableMlock:       true, // nothing in here is worth it, and it needs a privilege
		LogicalBackends:    map[string]logical.Factory{"kv": kv.Factory},
		CredentialBackends: credentials,
		BuiltinRegistry: registry{
			consts.PluginTypeSecrets:    {"kv": kv.Factory},
			consts.PluginTypeCredential: credentials,
		},
	})
	if err != nil {
		return nil, err
	}
	s := &server{core: core}
	if err := unseal(core, r); err != nil {
		s.close()
		return nil, err
	}
	s.handler = vaulthttp.Handler.Handler(&vault.HandlerProperties{
		Core:           core,
		ListenerConfig: &configutil.Listener{},
	})
	return s, nil
}

func unseal(core *vault.Core, r *ready) error {
	if r.UnsealKey == "" {
		one := &vault.SealConfig{SecretShares: 1, SecretThreshold: 1}
		initialised, err := core.Initialize(context.Background(), &vault.InitParams{BarrierConfig: one})
		if err != nil {
			return fmt.Errorf("initialising: %w", err)
		}
		r.UnsealKey, r.RootToken = hex.EncodeToString(initialised.SecretShares[0]), initialised.RootToken
	}
	share, err := hex.DecodeString(r.UnsealKey)
	if err != nil {
		return err
	}
	open, err := core.Unseal(share)
	if err != nil {
		return fmt.Errorf("unsealing: %w", err)
	}
	if !open {
		return fmt.Errorf("unsealing: one key share was not enough")
	}
	return nil
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
