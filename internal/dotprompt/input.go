package dotprompt

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"strings"
)

// Fill puts the defaults where values are missing, and holds the whole against the schema. Without a schema,
// nothing is checked.
func (v Variables) Fill(given map[string]any) (map[string]any, []Invalid) {
	all := maps.Clone(v.Default)
	if all == nil {
		all = map[string]any{}
	}
	maps.Copy(all, given)
	if v.Schema == nil {
		return all, nil
	}
	return all, Validate(v.Schema, all)
}

func (i Invalid) String() string {
	if len(i.Path) == 0 {
		return "the input " + i.Message
	}
	return strings.Join(i.Path, ".") + " " + i.Message
}

// ReadJSON reads one value of JSON as Input has it: integers stay whole.
func ReadJSON(data []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, fmt.Errorf("reading JSON: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fmt.Errorf("reading JSON: more follows after the value")
	}
	return numbers(v), nil
}

func numbers(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			v[k] = numbers(e)
		}
	case []any:
		for i, e := range v {
			v[i] = numbers(e)
		}
	case json.Number:
		if n, err := v.Int64(); err == nil && n <= 1<<53 && n >= -1<<53 {
			return n
		}
		f, _ := v.Float64()
		return f
	}
	return v
}

// Messages reads a conversation: a list of {role, content: [part, …]}, or of {role, text}.
func Messages(v any) ([]Message, error) {
	list, ok := v.([]any)
	if !ok && v != nil {
		return nil, fmt.Errorf("a conversation is a list of messages")
	}
	var out []Message
	for i, e := range list {
		m, _ := e.(map[string]any)
		role, _ := m["role"].(string)
		parts, some := m["content"].([]any)
		if text, ok := m["text"].(string); ok && !some {
			parts = []any{map[string]any{"text": text}}
		}
		message := Message{Role: role}
		for _, p := range parts {
			if part, ok := p.(map[string]any); ok {
				message.Content = append(message.Content, part)
			}
		}
		if role == "" || len(message.Content) != len(parts) || len(parts) == 0 {
			return nil, fmt.Errorf("message %d: a message has a role, and a text or a list of content", i+1)
		}
		message.Metadata, _ = m["metadata"].(map[string]any)
		out = append(out, message)
	}
	return out, nil
}

// Text writes messages for people: each begins with its role in brackets, and media and sections stand in <…>.
func Text(messages []Message) string {
	var b strings.Builder
	for i, m := range messages {
		if i > 0 {
			b.WriteString("\n")
		}
		fmt.Fprintf(&b, "[%s]\n", m.Role)
		for _, p := range m.Content {
			b.WriteString(p.line())
		}
	}
	return b.String()
}

func (p Part) line() string {
	switch {
	case p["text"] != nil:
		return strings.Trim(fmt.Sprint(p["text"]), "\n") + "\n"
	case p["media"] != nil:
		m, _ := p["media"].(map[string]any)
		kind, _ := m["contentType"].(string)
		return fmt.Sprintf("<media %v%s>\n", m["url"], strings.TrimRight(" "+kind, " "))
	}
	if m, ok := p["metadata"].(map[string]any); ok && m["purpose"] != nil {
		return fmt.Sprintf("<section %v>\n", m["purpose"])
	}
	text, _ := json.Marshal(p)
	return string(text) + "\n"
}
