package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/user"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Who did something by hand is recorded: the user at the other end of the control socket, or who runs the command.

type peerKey struct{}

// withPeer keeps who is at the other end of a connection for the requests on it.
func withPeer(ctx context.Context, conn net.Conn) context.Context {
	uid, known := peerUID(conn)
	if !known {
		uid = os.Getuid()
	}
	return context.WithValue(ctx, peerKey{}, userName(uid))
}

// peerOf names who asks.
func peerOf(r *http.Request) string {
	name, _ := r.Context().Value(peerKey{}).(string)
	return name
}

func userName(uid int) string {
	if u, err := user.LookupId(strconv.Itoa(uid)); err == nil && u.Username != "" {
		return u.Username
	}
	return fmt.Sprintf("uid %d", uid)
}

// maxReason bounds why something was done, in characters.
const maxReason = 256

// checkReason makes sure that a reason can be told on one line.
func checkReason(text string) (string, error) {
	text = strings.TrimSpace(text)
	switch {
	case text == "":
		return "", configErrorf("give a --reason: whoever wonders reads it")
	case !utf8.ValidString(text), strings.ContainsFunc(text, unicode.IsControl), utf8.RuneCountInString(text) > maxReason:
		return "", configErrorf("--reason is one line of at most %d characters", maxReason)
	}
	return text, nil
}
