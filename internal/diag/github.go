package diag

import (
	"fmt"
	"io"
	"strings"
)

// GitHub writes findings as workflow commands of GitHub Actions, which shows them beside the lines of a
// pull request (docs.github.com, "Workflow commands": error and warning).
func GitHub(w io.Writer, fs []Finding) error {
	for _, f := range fs {
		if _, err := fmt.Fprintf(w, "::%s file=%s,line=%d,col=%d,title=%s::%s\n", f.Severity, commandProperty.Replace(f.File),
			max(f.Line, 1), max(f.Column, 1), commandProperty.Replace(f.Rule), commandData.Replace(f.Message)); err != nil {
			return err
		}
	}
	return nil
}

// What ends a command, or a property of one, is written as the runner decodes it.
var (
	commandData     = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	commandProperty = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
)
