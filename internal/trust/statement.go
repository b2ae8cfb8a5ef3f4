package trust

import (
	"bytes"
	"encoding/json"
	"errors"

	"github.com/llm-config-manager/lcm/internal/gitrepo"
)

// A signed statement, be it an approval or a heartbeat, is a document of two parts: a line of canonical
// JSON (RFC 8785), and below it the armored signature over that line without its end.

// maxDocument bounds a signed statement, in bytes.
const maxDocument = gitrepo.MaxApprovalBytes

func signStatement(statement func() ([]byte, error), sign gitrepo.Signer) ([]byte, error) {
	line, err := statement()
	if err != nil {
		return nil, err
	}
	armored, err := sign(line)
	if err != nil {
		return nil, err
	}
	return bytes.Join([][]byte{line, bytes.TrimRight(armored, "\n"), nil}, []byte("\n")), nil
}

// readStatement splits a document and reads its statement into v. That the statement is canonical, so
// that there is one way to write it, is for the caller to check: by writing it again.
func readStatement(document []byte, v any) (statement, signature []byte, err error) {
	statement, signature, ok := bytes.Cut(document, []byte("\n"))
	if !ok || len(document) > maxDocument {
		return nil, nil, errors.New("it is not a line of JSON with a signature below")
	}
	d := json.NewDecoder(bytes.NewReader(statement))
	d.DisallowUnknownFields()
	if d.Decode(v) != nil {
		return nil, nil, errors.New("its first line is not the JSON of such a statement")
	}
	return statement, signature, nil
}
