package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/masterkey"
	"github.com/llm-config-manager/lcm/internal/state"
)

// sight is all that Vault and the state say of the namespace.
type sight struct {
	Vault     map[string]standing
	Runtime   map[string]string
	Inventory state.Inventory
	Versions  map[string]uint64
	Namespace state.Namespace
	Open      *state.Intent
	Ratchet   state.Ratchet
}

// standing is one entry of Vault.
type standing struct {
	Data    map[string]any
	Version int
	Custom  map[string]string
}

// at is what a sight becomes when the same values are written as version n by a commit.
func (s sight) at(n int, head lcm.Revision) sight {
	s.Vault, s.Inventory, s.Versions = maps.Clone(s.Vault), maps.Clone(s.Inventory), maps.Clone(s.Versions)
	for key, e := range s.Vault {
		e.Data, e.Custom = maps.Clone(e.Data), maps.Clone(e.Custom)
		if e.Version = n; e.Custom == nil { // the marker, written twice in each pass
			e.Version, e.Data["revision"] = 2*n, string(head)
		} else {
			e.Custom["version"], e.Custom["lcm_kv_version"], e.Custom["revision"] = strconv.Itoa(n), strconv.Itoa(n), string(head)
		}
		s.Vault[key] = e
	}
	for target, owned := range s.Inventory {
		owned = maps.Clone(owned)
		for key, o := range owned {
			o.Meta.Version, o.Meta.Revision = uint64(n), head
			owned[key] = o
		}
		s.Inventory[target] = owned
	}
	for key := range s.Versions {
		s.Versions[key] = uint64(n)
	}
	s.Namespace.Revision, s.Ratchet.Accepted, s.Ratchet.Processed = head, head, head
	return s
}

// look reads Vault, the files and the state as they stand.
func (d *daemon) look() sight {
	d.t.Helper()
	s := sight{Vault: map[string]standing{}, Runtime: map[string]string{}, Versions: map[string]uint64{}}
	for _, key := range append([]string{".lcm/revision"}, d.keys...) {
		s.Vault[key] = d.standing(key)
	}
	for i := range 3 {
		key := fmt.Sprintf("config-%d", i)
		data, err := os.ReadFile(d.desk.path(d.dir + "/runtime/" + d.ns.Key(key).String() + ".json"))
		d.check(err)
		s.Runtime[key] = string(data)
	}
	db := d.state()
	defer db.Close()
	var err error
	s.Inventory, s.Open, err = db.Inventory(d.ns)
	d.check(err)
	s.Namespace, err = db.Namespace(d.ns)
	d.check(err)
	s.Namespace.At = time.Time{}
	s.Ratchet, _, err = db.Ratchet()
	d.check(err)
	s.Ratchet.Rules = "" // where the targets are, which is another folder and mount for each daemon
	for _, key := range d.keys {
		s.Versions[key], err = db.Version(d.ns.Key(key))
		d.check(err)
	}
	return s
}

func (d *daemon) standing(key string) standing {
	d.t.Helper()
	answer := d.server.Must(d.t, http.MethodGet, d.mount+"/data/"+d.ns.String()+"/"+key, nil)
	raw, err := json.Marshal(answer)
	d.check(err)
	var got struct {
		Data     map[string]any
		Metadata struct {
			Version int
			Custom  map[string]string `json:"custom_metadata"`
		}
	}
	d.check(json.NewDecoder(strings.NewReader(string(raw))).Decode(&got))
	return standing{got.Data, got.Metadata.Version, got.Metadata.Custom}
}

func (d *daemon) state() *state.DB {
	d.t.Helper()
	key, err := masterkey.Load(d.desk.path("lcm.key"))
	d.check(err)
	db, err := state.Open(state.Config{Path: d.desk.path(d.dir + "/state/lcm.db"), Repository: "test-config", Key: key.Derive(masterkey.State), ReadOnly: true})
	d.check(err)
	return db
}
