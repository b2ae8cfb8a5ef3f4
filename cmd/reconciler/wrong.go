package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/llm-config-manager/lcm/internal/diag"
	"github.com/llm-config-manager/lcm/internal/strictyaml"
)

// wrongSetting is a setting that the schema lets pass and that is wrong all the same. Its text says what would be right.
type wrongSetting struct {
	path []string // to the setting, from the section that was looked at; the index of an element is a word of it
	text string
}

func (e wrongSetting) Error() string { return strings.Join(e.path, ".") + ": " + e.text }

// wrong says what is wrong with a setting of a section. below leads there from the sections around it.
func wrong(setting, format string, args ...any) error {
	return wrongSetting{[]string{setting}, fmt.Sprintf(format, args...)}
}

// below says that what is wrong is wrong in a section, or with a setting. All errors that were joined come along.
func below(err error, path ...string) error {
	var out []error
	for _, e := range parts(err) {
		w := wrongSetting{nil, e.Error()}
		_ = errors.As(e, &w)
		out = append(out, wrongSetting{slices.Concat(path, w.path), w.text})
	}
	return errors.Join(out...)
}

// parts takes errors apart that errors.Join put together.
func parts(err error) (out []error) {
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok || err.Error() != errors.Join(joined.Unwrap()...).Error() { // one that wraps two says something itself
		return []error{err}
	}
	for _, e := range joined.Unwrap() {
		out = append(out, parts(e)...)
	}
	return out
}

// settingRule is the rule that wrong settings of the daemon break.
const settingRule = "settings/daemon"

// placed tells where in the file each wrong setting stands; one that is not there, where the section around it does.
func placed(doc *strictyaml.Document, err error) (findings []diag.Finding) {
	for _, e := range parts(err) {
		w := wrongSetting{nil, e.Error()}
		_ = errors.As(e, &w)
		findings = append(findings, diag.Errorf(doc.Position(w.path...), settingRule, "%s", w.text))
	}
	return diag.Sort(findings)
}
