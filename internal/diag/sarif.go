package diag

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/url"
	"slices"
	"strings"
)

// Tool is what made the findings, as reports name it.
type Tool struct {
	Name, Version, URL string
	// Rule tells of a rule; false of one that it does not know. Nil knows none.
	Rule func(id string) (About, bool)
}

// About is what a report tells of a rule: one sentence, why it matters, what to do, and where to read on.
type About struct {
	Title, Why, Fix, Page string
	Severity              Severity
}

// about is zero for a rule that is not known.
func (t Tool) about(id string) About {
	if t.Rule != nil {
		if a, ok := t.Rule(id); ok {
			return a
		}
	}
	return About{}
}

// SARIF writes findings as SARIF 2.1.0 (OASIS, 2020, with errata 01), as GitHub's code scanning takes them.
func SARIF(w io.Writer, tool Tool, fs []Finding) error {
	run := sarifRun{ColumnKind: "unicodeCodePoints", Results: []sarifResult{}}
	run.Tool.Driver = sarifDriver{Name: tool.Name, Version: tool.Version, InformationURI: tool.URL, Rules: []sarifRule{}}
	for _, id := range rulesOf(fs) {
		run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, sarifRuleOf(tool, id))
	}
	for _, f := range fs {
		index, _ := slices.BinarySearchFunc(run.Tool.Driver.Rules, f.Rule, func(r sarifRule, id string) int { return strings.Compare(r.ID, id) })
		run.Results = append(run.Results, sarifResultOf(f, index))
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(sarifLog{Schema: sarifSchema, Version: "2.1.0", Runs: []sarifRun{run}})
}

const sarifSchema = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"

// rulesOf lists the rules that findings name, sorted, each once.
func rulesOf(fs []Finding) []string {
	var ids []string
	for _, f := range fs {
		ids = append(ids, f.Rule)
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

func sarifRuleOf(tool Tool, id string) sarifRule {
	a := tool.about(id)
	if a.Title == "" {
		return sarifRule{ID: id, ShortDescription: sarifText{id}}
	}
	return sarifRule{ID: id, ShortDescription: sarifText{a.Title}, HelpURI: a.Page,
		FullDescription: &sarifText{plain(a.Why)},
		Help:            &sarifHelp{plain(a.Why + "\n\n" + a.Fix), a.Why + "\n\n" + a.Fix},
		Default:         &sarifLevel{string(a.Severity)}}
}

// plain is prose without the marks of code.
func plain(text string) string { return strings.ReplaceAll(text, "`", "") }

func sarifResultOf(f Finding, index int) sarifResult {
	r := sarifResult{RuleID: f.Rule, RuleIndex: index, Level: string(f.Severity), Message: sarifText{f.Message}}
	var at sarifLocation
	at.Physical.Artifact.URI = (&url.URL{Path: f.File}).EscapedPath()
	at.Physical.Region = sarifRegion{max(f.Line, 1), max(f.Column, 1)}
	r.Locations = []sarifLocation{at}
	// Not the line: a finding stays the same when lines are put in above it.
	sum := sha256.Sum256([]byte(f.File + "\x00" + f.Rule + "\x00" + f.Message))
	r.Fingerprints = map[string]string{"lcmFinding/v1": hex.EncodeToString(sum[:16])}
	return r
}

type sarifLog struct {
	Schema  string     `json:"$schema"`
	Version string     `json:"version"`
	Runs    []sarifRun `json:"runs"`
}

type sarifRun struct {
	Tool struct {
		Driver sarifDriver `json:"driver"`
	} `json:"tool"`
	ColumnKind string        `json:"columnKind"`
	Results    []sarifResult `json:"results"`
}

type sarifDriver struct {
	Name           string      `json:"name"`
	Version        string      `json:"version,omitempty"`
	InformationURI string      `json:"informationUri,omitempty"`
	Rules          []sarifRule `json:"rules"`
}

type sarifRule struct {
	ID               string      `json:"id"`
	ShortDescription sarifText   `json:"shortDescription"`
	FullDescription  *sarifText  `json:"fullDescription,omitempty"`
	Help             *sarifHelp  `json:"help,omitempty"`
	HelpURI          string      `json:"helpUri,omitempty"`
	Default          *sarifLevel `json:"defaultConfiguration,omitempty"`
}

type sarifHelp struct {
	Text     string `json:"text"`
	Markdown string `json:"markdown"`
}

type sarifLevel struct {
	Level string `json:"level"`
}

type sarifText struct {
	Text string `json:"text"`
}

type sarifResult struct {
	RuleID       string            `json:"ruleId"`
	RuleIndex    int               `json:"ruleIndex"`
	Level        string            `json:"level"`
	Message      sarifText         `json:"message"`
	Locations    []sarifLocation   `json:"locations"`
	Fingerprints map[string]string `json:"partialFingerprints"`
}

type sarifLocation struct {
	Physical struct {
		Artifact struct {
			URI string `json:"uri"`
		} `json:"artifactLocation"`
		Region sarifRegion `json:"region"`
	} `json:"physicalLocation"`
}

type sarifRegion struct {
	Line   int `json:"startLine"`
	Column int `json:"startColumn"`
}
