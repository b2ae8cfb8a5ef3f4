// Command page prints docs/rules.md, made from the catalogue of rules.
package main

import (
	"fmt"
	"os"

	"github.com/llm-config-manager/lcm/internal/rule"
)

func main() {
	text, err := rule.Markdown()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Print(text)
}
