package dotprompt

import (
	"maps"
	"slices"
	"strings"
)

// Message is one message to a model, in the form that the specification gives it.
type Message struct {
	Role     string         `json:"role"` // system, user, model or tool
	Content  []Part         `json:"content"`
	Metadata map[string]any `json:"metadata,omitempty"`
}

// Part is one part of a message: {text}, {media: {url, contentType}} or, of a section, {metadata: {purpose, pending}}.
// Messages of the history are passed on as they are.
type Part map[string]any

// messages puts pieces together. It begins with a message of the user; a role begins another one, unless
// nothing stands in the last.
func messages(pieces []piece, history []Message) []Message {
	b := builder{current: draft{role: "user"}, history: history}
	for _, p := range pieces {
		switch p.marker {
		case roleMarker:
			b.take()
			if b.current.blank() {
				b.current.role = p.text
				continue
			}
			b.close()
			b.current = draft{role: p.text}
		case historyMarker:
			b.take()
			b.close()
			b.insert()
			b.current = draft{role: "model"}
		default:
			b.segment = append(b.segment, p)
		}
	}
	b.take()
	b.close()
	return b.withHistory()
}

// draft is a message being written.
type draft struct {
	role   string
	pieces []piece
}

func (d draft) blank() bool { return blankPieces(d.pieces) }

func blankPieces(pieces []piece) bool {
	return !slices.ContainsFunc(pieces, func(p piece) bool { return p.marker != noMarker || strings.TrimSpace(p.text) != "" })
}

type builder struct {
	current  draft
	segment  []piece // since the last role or history
	done     []Message
	history  []Message
	inserted bool
}

// take adds the segment to the message: what is nothing but white space between two markers is none of it.
func (b *builder) take() {
	if !blankPieces(b.segment) {
		b.current.pieces = append(b.current.pieces, b.segment...)
	}
	b.segment = nil
}

func (b *builder) close() {
	if len(b.current.pieces) > 0 {
		b.done = append(b.done, Message{Role: b.current.role, Content: parts(b.current.pieces)})
	}
}

// insert puts the history where the template asks for it.
func (b *builder) insert() {
	for _, m := range b.history {
		b.inserted = true
		m.Metadata = maps.Clone(m.Metadata)
		if m.Metadata == nil {
			m.Metadata = map[string]any{}
		}
		m.Metadata["purpose"] = "history"
		b.done = append(b.done, m)
	}
}

// withHistory puts the history before the user's last message, if the template did not ask for it elsewhere.
func (b *builder) withHistory() []Message {
	if b.done == nil {
		b.done = []Message{}
	}
	if b.inserted || len(b.history) == 0 {
		return b.done
	}
	at := len(b.done)
	if at > 0 && b.done[at-1].Role == "user" {
		at--
	}
	return slices.Insert(b.done, at, b.history...)
}

// parts joins the texts between media and sections. What is nothing but white space there is no part.
func parts(pieces []piece) []Part {
	out, text := []Part{}, strings.Builder{}
	flush := func() {
		if strings.TrimSpace(text.String()) != "" {
			out = append(out, Part{"text": text.String()})
		}
		text.Reset()
	}
	for _, p := range pieces {
		switch p.marker {
		case noMarker:
			text.WriteString(p.text)
			continue
		case mediaMarker:
			flush()
			media := map[string]any{"url": p.text}
			if p.contentType != "" {
				media["contentType"] = p.contentType
			}
			out = append(out, Part{"media": media})
		case sectionMarker:
			flush()
			out = append(out, Part{"metadata": map[string]any{"purpose": p.text, "pending": true}})
		}
	}
	flush()
	return out
}
