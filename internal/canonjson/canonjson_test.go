package canonjson

import (
	"strings"
	"testing"
)

// The vectors are those of RFC 8785, section 3.2, and its appendix B.
func TestMarshal(t *testing.T) {
	for _, c := range []struct {
		in   any
		want string
	}{
		{map[string]any{"b": int64(1), "a": []any{true, nil, "x"}}, `{"a":[true,null,"x"],"b":1}`},
		{"<a&b>\u2028\n\u000f\"", "\"<a&b>\u2028\\n\\u000f\\\"\""},
		{333333333.33333329, "333333333.3333333"}, {1e30, "1e+30"}, {4.50, "4.5"}, {2e-3, "0.002"}, {1e-27, "1e-27"},
		{int64(9007199254740992), "9007199254740992"}, {nil, "null"}, {true, "true"},
		{map[string]any{"\u20ac": "Euro", "\r": "CR", "\ufb33": "Hebrew", "1": "One", "\U0001f600": "Emoji", "\u0080": "Control", "\u00f6": "o"},
			"{\"\\r\":\"CR\",\"1\":\"One\",\"\u0080\":\"Control\",\"\u00f6\":\"o\",\"\u20ac\":\"Euro\",\"\U0001f600\":\"Emoji\",\"\ufb33\":\"Hebrew\"}"},
	} {
		got, err := Marshal(c.in)
		if err != nil || string(got) != c.want {
			t.Errorf("%v: %s, %v; want %s", c.in, got, err, c.want)
		}
	}
	if _, err := Marshal(func() {}); err == nil || !strings.Contains(err.Error(), "JSON") {
		t.Error(err)
	}
}
