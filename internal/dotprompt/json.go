package dotprompt

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/llm-config-manager/lcm/internal/canonjson"
)

const maxIndent = 10 // as in JavaScript

// json is {{json value indent=2}}. Keys are sorted.
func (r *renderer) json(n *node, s *scope) (string, error) {
	arg := n.call.params[0]
	text, err := r.marshal(arg, r.value(arg, s))
	if err != nil || len(n.call.hash) == 0 {
		return text, err
	}
	indent, ok := r.indentOf(r.value(n.call.hash[0].value, s))
	if !ok {
		return "", r.wrong(n.call.hash[0].value.at, "indent is a number from 0 to %d, or blanks", maxIndent)
	}
	if indent == "" {
		return text, nil
	}
	var b bytes.Buffer
	if err := json.Indent(&b, []byte(text), "", indent); err != nil {
		return "", r.wrong(arg.at, "%s can't be written as JSON", brief(arg.source))
	}
	return b.String(), nil
}

func (r *renderer) indentOf(v any) (string, bool) {
	if s, ok := v.(string); ok {
		return s, len(s) <= maxIndent && strings.Trim(s, " \t") == ""
	}
	f, ok := toFloat(v)
	if !ok || f < 0 || f > maxIndent || f != float64(int(f)) {
		return "", false
	}
	return strings.Repeat(" ", int(f)), true
}

func (r *renderer) marshal(e expr, v any) (string, error) {
	out, err := canonjson.Marshal(v)
	if err != nil {
		return "", r.wrong(e.at, "%s can't be written as JSON", brief(e.source))
	}
	return string(out), nil
}
