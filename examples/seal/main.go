// Command seal seals the secrets of the example repository anew, to the published example key. The
// values are made up here, or made afresh where only a real key pair will do; none opens anything.
// Run it from the root of this repository: go run ./examples/seal
package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"

	"github.com/llm-config-manager/lcm/examples"
	"github.com/llm-config-manager/lcm/internal/sopsfile"
)

const repository = "examples/repo-layout"

func main() { os.Exit(run()) }

func run() int {
	if err := sealAll(); err != nil {
		fmt.Fprintln(os.Stderr, "seal:", err)
		return 1
	}
	return 0
}

func sealAll() error {
	recipient, err := exampleRecipient()
	if err != nil {
		return err
	}
	list, err := secrets()
	if err != nil {
		return err
	}
	for _, s := range list {
		sealed, err := sopsfile.Seal(s.file(), s.document(), []string{recipient})
		if err != nil {
			return err
		}
		path := filepath.Join(repository, filepath.FromSlash(s.file()))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, sealed, 0o644); err != nil {
			return err
		}
	}
	fmt.Printf("sealed %d secrets to %s\n", len(list), recipient)
	return nil
}

var recipientLine = regexp.MustCompile(`(?m)^# public key: (age1[a-z0-9]+)$`)

const warning = `# DO NOT USE THIS KEY. Everybody has it: it is published with the example, on purpose, so that the
# example's made-up secrets can be opened. Whatever is sealed to it is disclosed.
# Make your own:  age-keygen -o keys/age.txt
`

// exampleRecipient reads the published key, or makes one if it is not there. A new one must be put
// into .sops.yaml by hand.
func exampleRecipient() (string, error) {
	file := filepath.Join(repository, examples.AgeKeyFile)
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		identity, _, err := sopsfile.NewIdentity()
		if err != nil {
			return "", err
		}
		data = append([]byte(warning), identity...)
		if err := os.WriteFile(file, data, 0o644); err != nil {
			return "", err
		}
	} else if err != nil {
		return "", fmt.Errorf("%w (run this from the root of the repository)", err)
	}
	m := recipientLine.FindSubmatch(data)
	if m == nil {
		return "", fmt.Errorf("%s names no public key", file)
	}
	return string(m[1]), nil
}
