package main

import (
	"context"
	"os"
	"time"

	"github.com/llm-config-manager/lcm/internal/store"
	"github.com/llm-config-manager/lcm/internal/store/vault"
)

// vaultAuth is a login at Vault: one of them is given.
type vaultAuth struct {
	Token struct {
		File string `json:"file"`
		Env  string `json:"env"`
	} `json:"token"`
	AppRole struct {
		Mount        string `json:"mount"`
		RoleID       string `json:"roleId"`
		SecretIDFile string `json:"secretIdFile"`
	} `json:"approle"`
	Kubernetes vaultJWT `json:"kubernetes"`
	JWT        vaultJWT `json:"jwt"`
}

type vaultJWT struct {
	Mount     string `json:"mount"`
	Role      string `json:"role"`
	TokenFile string `json:"tokenFile"`
}

func (j vaultJWT) login() vault.JWT {
	return vault.JWT{Mount: j.Mount, Role: j.Role, File: j.TokenFile}
}

func openVault(ctx context.Context, t targetConfig, observe func(operation string, took time.Duration)) (store.Target, error) {
	role := t.Auth.AppRole
	c := vault.Config{Address: t.Address, Mount: t.Mount, Namespace: t.Namespace, CACertFile: t.CACertFile, TokenFile: t.Auth.Token.File,
		AppRole:    vault.AppRole{Mount: role.Mount, RoleID: role.RoleID, SecretIDFile: role.SecretIDFile},
		Kubernetes: t.Auth.Kubernetes.login(), JWT: t.Auth.JWT.login(), Observe: observe}
	if t.TLS != nil {
		c.CACertFile, c.ServerName = t.TLS.CACertFile, t.TLS.ServerName
		c.ClientCertFile, c.ClientKeyFile = t.TLS.ClientCertFile, t.TLS.ClientKeyFile
	}
	if env := t.Auth.Token.Env; env != "" {
		if c.Token = os.Getenv(env); c.Token == "" {
			return nil, configErrorf("the token is to come from the environment variable %s, which is not set", env)
		}
	}
	var err error
	if c.Timeout, err = t.timeout(); err != nil {
		return nil, err
	}
	v, err := vault.New(ctx, c)
	if err != nil { // nothing is asked of Vault yet
		return nil, configError{err.Error()}
	}
	return v, nil
}
