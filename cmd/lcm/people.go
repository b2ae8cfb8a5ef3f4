package main

import (
	"errors"
	"os"
	"os/user"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/policyfile"
)

const adminUsage = "a global admin as `NAME=FILE`: a .pub file, a list of keys such as https://github.com/<login>.keys, an armored OpenPGP key, or - for standard input; repeatable (default: you, with ~/.ssh/id_ed25519.pub)"

// readPeople reads NAME=FILE pairs, or with the word of a role ORG:NAME=FILE. No admins at all are who types,
// with the usual key.
func (c *cli) readPeople(pairs []string, word string) ([]policyfile.Person, error) {
	if len(pairs) == 0 && word == "" {
		me, err := myself()
		if err != nil {
			return nil, err
		}
		pairs = []string{me}
	}
	var people []policyfile.Person
	for _, pair := range pairs {
		p, err := c.readPerson(pair, word)
		if err != nil {
			return nil, err
		}
		people = append(people, p)
	}
	return people, nil
}

func (c *cli) readPerson(pair, word string) (p policyfile.Person, err error) {
	rest, org, form := pair, "", "--admin is NAME=FILE.pub"
	if word != "" {
		form = "--" + word + " is ORG:NAME=FILE.pub"
		org, rest, _ = strings.Cut(pair, ":")
		p.Roles = []string{word + ":" + org}
	}
	name, file, ok := strings.Cut(rest, "=")
	if !ok || file == "" || !lcm.ValidName(name) || word != "" && !lcm.ValidName(org) {
		return p, usagef("%s, names being small letters, digits and hyphens, not %q", form, pair)
	}
	p.Name = name
	p.Keys, err = c.readKeys(file)
	return p, err
}

// readKeys reads the keys in a file; "-" is standard input.
func (c *cli) readKeys(file string) ([]policyfile.Key, error) {
	if file == "-" {
		return usageKeys(policyfile.ReadKeys("standard input", c.stdin))
	}
	f, err := os.Open(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil, usagef("there is no %s: make a key with ssh-keygen -t ed25519, or name the file that holds the public key", file)
	}
	if err != nil {
		return nil, usagef("%v", err)
	}
	defer f.Close()
	return usageKeys(policyfile.ReadKeys(file, f))
}

func usageKeys(keys []policyfile.Key, err error) ([]policyfile.Key, error) {
	if err != nil {
		return nil, usagef("%v", err)
	}
	return keys, nil
}

func myself() (string, error) {
	u, err := user.Current()
	if err != nil {
		return "", usagef("say who the admins are: --admin NAME=FILE.pub")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", usagef("say who the admins are: --admin NAME=FILE.pub")
	}
	return nameOf(u.Username) + "=" + filepath.Join(home, ".ssh", "id_ed25519.pub"), nil
}

var notName = regexp.MustCompile(`[^a-z0-9]+`)

func nameOf(s string) string {
	if s = strings.Trim(notName.ReplaceAllString(strings.ToLower(s), "-"), "-"); !lcm.ValidName(s) {
		return "admin"
	}
	return s
}
