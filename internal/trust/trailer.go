package trust

import (
	"encoding/base64"
	"strings"

	"github.com/llm-config-manager/lcm/internal/gitrepo"
)

const (
	approvalTrailer = "Lcm-Approval:"

	// maxApprovals is how many approvals are read of one head, and of one message.
	maxApprovals = 64
)

// ApprovalTrailer writes the document of an approval as a trailer of a commit's message: base64, folded
// as Git folds long trailers.
func ApprovalTrailer(document []byte) string {
	var b strings.Builder
	b.WriteString(approvalTrailer)
	for text := base64.StdEncoding.EncodeToString(document); text != ""; {
		n := min(len(text), 72)
		b.WriteString(" " + text[:n] + "\n")
		text = text[n:]
	}
	return b.String()
}

// approvalTrailers returns the documents that a message carries, as far as they can be read at all. A
// trailer goes on over the lines that begin with a space.
func approvalTrailers(message string) (documents [][]byte) {
	var text []byte
	open := false
	end := func() {
		if data, err := base64.StdEncoding.Strict().DecodeString(string(text)); open && err == nil && len(documents) < maxApprovals {
			documents = append(documents, data)
		}
		open = false
	}
	for line := range strings.Lines(message) {
		switch first, begins := strings.CutPrefix(line, approvalTrailer); {
		case begins:
			end()
			open, text = true, []byte(strings.TrimSpace(first))
		case open && strings.HasPrefix(line, " "):
			text = append(text, strings.TrimSpace(line)...)
		default:
			end()
		}
		open = open && len(text) <= base64.StdEncoding.EncodedLen(gitrepo.MaxApprovalBytes)
	}
	end()
	return documents
}
