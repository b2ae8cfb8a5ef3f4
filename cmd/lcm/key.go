package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// signingKeyEnv names the key file if --key does not. Git's own user.signingKey is not read: whoever can
// write a repository's configuration would choose what is signed with.
const signingKeyEnv = "LCM_SIGNING_KEY"

func (c *cli) keyFlag(cmd *cobra.Command) {
	cmd.Flags().StringVar(&c.key, "key", "", "the SSH key to sign with: a private key `FILE`, or a .pub or -cert.pub file whose key ssh-agent holds or stands beside it (default: $"+signingKeyEnv+")")
	_ = cmd.MarkFlagFilename("key")
}

// signer opens the key to sign with. One that is encrypted, or of which there is only the public half, is
// used through ssh-agent. close is to be called after the last signature.
func (c *cli) signer() (key ssh.Signer, close func(), err error) {
	file := c.key
	if file == "" {
		file = os.Getenv(signingKeyEnv)
	}
	if file == "" {
		return nil, nil, usagef("say which key to sign with: --key FILE, or set %s", signingKeyEnv)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, nil, usagef("the signing key: %v", err)
	}
	key, err = ssh.ParsePrivateKey(data)
	if err == nil {
		return key, func() {}, nil
	}
	public, _, _, _, pubErr := ssh.ParseAuthorizedKey(data)
	if encrypted := new(ssh.PassphraseMissingError); errors.As(err, &encrypted) {
		public, pubErr = encrypted.PublicKey, nil
		if public == nil {
			return nil, nil, usagef("%s is encrypted and in an old form: name its .pub file, and add it to ssh-agent (ssh-add %[1]s)", file)
		}
	}
	if pubErr != nil {
		return nil, nil, usagef("%s is neither an SSH private key nor a public one", file)
	}
	if cert, ok := public.(*ssh.Certificate); ok {
		if key := beside(cert, file); key != nil {
			return key, func() {}, nil
		}
	}
	return fromAgent(public, file)
}

// beside opens the private key that ssh-keygen expects beside id-cert.pub: id. It is nil if that is not there,
// is encrypted, or is another.
func beside(cert *ssh.Certificate, file string) ssh.Signer {
	private, ok := strings.CutSuffix(file, "-cert.pub")
	if !ok {
		return nil
	}
	data, err := os.ReadFile(private)
	if err != nil {
		return nil
	}
	key, err := ssh.ParsePrivateKey(data)
	if err != nil {
		return nil
	}
	if key, err = ssh.NewCertSigner(cert, key); err != nil {
		return nil
	}
	return key
}

func fromAgent(public ssh.PublicKey, file string) (ssh.Signer, func(), error) {
	socket := os.Getenv("SSH_AUTH_SOCK")
	if socket == "" {
		return nil, nil, usagef("the private key of %s is encrypted or elsewhere, and no ssh-agent runs: start one and ssh-add the key", file)
	}
	conn, err := net.Dial("unix", socket)
	if err != nil {
		return nil, nil, fmt.Errorf("talking to ssh-agent: %w", err)
	}
	signers, err := agent.NewClient(conn).Signers()
	for _, s := range signers {
		if bytes.Equal(s.PublicKey().Marshal(), public.Marshal()) {
			return s, func() { conn.Close() }, nil
		}
	}
	conn.Close()
	if err != nil {
		return nil, nil, fmt.Errorf("asking ssh-agent: %w", err)
	}
	return nil, nil, usagef("ssh-agent does not hold the key of %s: ssh-add it", file)
}
