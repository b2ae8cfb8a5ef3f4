package vault_test

import (
	"fmt"
	"testing"

	"github.com/llm-config-manager/lcm/internal/store"
	"github.com/llm-config-manager/lcm/internal/store/vault"
	"github.com/llm-config-manager/lcm/internal/store/vault/vaulttest"
)

// BenchmarkChangedSecrets changes 1,000 secrets of one namespace: list, compare, write value and mark.
func BenchmarkChangedSecrets(b *testing.B) {
	const n = 1000
	s := vaulttest.Start(b)
	target, err := vault.New(b.Context(), vault.Config{Address: s.Address, Token: s.RootToken})
	if err != nil {
		b.Fatal(err)
	}
	defer target.Close()
	var all []store.Change
	for i := range n {
		all = append(all, secret(fmt.Sprintf("k%d", i), `{"key":"first"}`))
	}
	if err := target.Apply(b.Context(), batch(all...)); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		listing, err := target.List(b.Context(), production)
		if err != nil || len(listing.Items) != n {
			b.Fatal(len(listing.Items), err)
		}
		for i, item := range listing.Items {
			all[i].Action, all[i].Key, all[i].If = store.Update, item.Key, item.Token
		}
		if err := target.Apply(b.Context(), batch(all...)); err != nil {
			b.Fatal(err)
		}
	}
}
