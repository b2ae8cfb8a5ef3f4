package diag

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
)

// JUnit writes findings as a JUnit report, as CI servers read it: a suite for each file, a failed case for each error
// and a passed one for each warning, whose words are its output. Without any finding there is one case, which
// passed.
func JUnit(w io.Writer, tool Tool, fs []Finding) error {
	report := junitSuites{Name: tool.Name}
	for _, f := range fs {
		if n := len(report.Suites); n == 0 || report.Suites[n-1].Name != f.File {
			report.Suites = append(report.Suites, junitSuite{Name: f.File})
		}
		report.add(f)
	}
	if len(fs) == 0 {
		report.Tests = 1
		report.Suites = []junitSuite{{Name: tool.Name, Tests: 1, Cases: []junitCase{{Class: tool.Name, Name: "no findings"}}}}
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w)
	e.Indent("", "  ")
	if err := e.Encode(report); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func (r *junitSuites) add(f Finding) {
	s := &r.Suites[len(r.Suites)-1]
	c := junitCase{Class: f.File, Name: fmt.Sprintf("%s at %d:%d", f.Rule, max(f.Line, 1), max(f.Column, 1))}
	r.Tests, s.Tests = r.Tests+1, s.Tests+1
	if f.Severity == Error {
		r.Failures, s.Failures = r.Failures+1, s.Failures+1
		c.Failure = &junitFailure{Type: f.Rule, Message: printable(f.Message), Text: printable(f.String())}
	} else {
		c.Output = printable(f.String())
	}
	s.Cases = append(s.Cases, c)
}

// printable leaves out what XML 1.0 has no way to write.
func printable(s string) string {
	return strings.Map(func(c rune) rune {
		if c < ' ' && c != '\n' && c != '\t' || c == 0xfffe || c == 0xffff {
			return -1
		}
		return c
	}, strings.ToValidUTF8(s, "\uFFFD"))
}

type junitSuites struct {
	XMLName  xml.Name     `xml:"testsuites"`
	Name     string       `xml:"name,attr"`
	Tests    int          `xml:"tests,attr"`
	Failures int          `xml:"failures,attr"`
	Suites   []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Class   string        `xml:"classname,attr"`
	Name    string        `xml:"name,attr"`
	Failure *junitFailure `xml:"failure,omitempty"`
	Output  string        `xml:"system-out,omitempty"`
}

type junitFailure struct {
	Type    string `xml:"type,attr"`
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}
