package dotprompt

import (
	"strings"
	"testing"
)

func TestCompare(t *testing.T) {
	const (
		plain = `{"q": "string"}`
		more  = `{"q": "string", "n?": "string"}`
		must  = `{"q": "string", "n": "string"}`
		other = `{"q": "number"}`
		wider = `{"q": "any"}`
	)
	release := func(version, schema, text string) Release {
		return Release{Version: version, Variables: declare(t, schema), Content: map[string]string{"template": text, "input": schema}}
	}
	for _, c := range []struct {
		from, to Release
		known    bool
		want     string // the rule and a part of the message
	}{
		{release("1.2.3", plain, "a"), release("1.2.3", plain, "a"), false, ""},
		{release("1.2.3", plain, "a"), release("2.0.0", plain, "a"), false, ""},
		{release("1.2.3", plain, "a"), release("1.0.0", plain, "a"), false, ""}, // nothing changed but its name
		{release("1.2.3", plain, "a"), release("1.2.3", plain, "b"), true, "prompt/version-same template changed, and the version is still 1.2.3: write lcm.version: 1.2.4 or higher"},
		{release("1.2.3", plain, "a"), release("1.2.3+x", plain, "b"), true, "prompt/version-same"},
		{release("1.2.3", plain, "a"), release("1.2.4", plain, "b"), false, ""},
		{release("1.2.3", plain, "a"), release("1.2.4-rc.1", plain, "b"), false, ""},
		{release("1.2.3", plain, "a"), release("1.2.4", more, "b"), false, "prompt/version-step the variable n was added: from 1.2.3 that takes 1.3.0 at least, not 1.2.4"},
		{release("1.2.3", plain, "a"), release("1.3.0", more, "b"), false, ""},
		{release("1.2.3", plain, "a"), release("1.3.0", must, "b"), false, "prompt/version-step the variable n is required now: from 1.2.3 that takes 2.0.0 at least, not 1.3.0"},
		{release("1.2.3", plain, "a"), release("2.0.0", must, "b"), false, ""},
		{release("1.2.3", more, "a"), release("1.3.0", must, "a"), false, "prompt/version-step the variable n is required now"},
		{release("1.2.3", must, "a"), release("1.2.4", more, "a"), false, ""},
		{release("1.2.3", more, "a"), release("1.9.0", plain, "a"), false, "prompt/version-step the variable n was removed"},
		{release("1.2.3", plain, "a"), release("1.9.0", other, "a"), false, "prompt/version-step the variable q takes another type"},
		{release("1.2.3", plain, "a"), release("1.2.4", wider, "a"), false, ""},
		{release("1.2.3", wider, "a"), release("1.2.4", plain, "a"), false, "prompt/version-step the variable q takes another type"},
		{release("0.2.3", plain, "a"), release("0.3.0", must, "b"), false, ""},
		{release("0.2.3", plain, "a"), release("0.2.4", must, "b"), false, "prompt/version-step the variable n is required now: from 0.2.3 that takes 0.3.0"},
		{release("2.0.0-rc.1", plain, "a"), release("2.0.0", must, "b"), false, ""},
		{release("2.0.0-rc.2", plain, "a"), release("2.0.0-rc.10", must, "b"), false, ""},
		{release("1.2.3", plain, "b"), release("1.2.2", plain, "a"), true, ""},
		{release("1.2.3", plain, "b"), release("1.2.2", plain, "c"), false, "prompt/version-back 1.2.2 is below 1.2.3, and never had this content, so it goes back to nothing: write lcm.version: 1.2.4 or higher"},
		{release("1.2.3", plain, "b"), release("1.2.3-rc.1", plain, "c"), false, "prompt/version-back"},
	} {
		rule, message := Compare(c.from, c.to, func() bool { return c.known })
		if got := strings.TrimSpace(rule + " " + message); !strings.HasPrefix(got, c.want) || c.want == "" && got != "" {
			t.Errorf("from %v to %v: %q, want %q", c.from, c.to, got, c.want)
		}
	}
}
