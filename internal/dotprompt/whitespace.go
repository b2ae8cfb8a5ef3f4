package dotprompt

import "strings"

// White space control, as in Handlebars: a ~ takes the white space on its side, and a tag that stands alone on
// its line (the tags of a block, a partial, a comment) takes the line.

func stripRoot(nodes []*node) { stripProgram(nodes, true) }

// standing is what a statement asks of its neighbours.
type standing struct {
	strip
	opens, closes, inline bool // stands alone, as far as its own inside tells
}

func stripProgram(nodes []*node, root bool) {
	for i, n := range nodes {
		s, ok := n.standing()
		if !ok {
			continue
		}
		before, after := blankBefore(nodes, i, root), blankAfter(nodes, i, root)
		if s.right {
			cutBegin(nodes, i+1, true)
		}
		if s.left {
			cutEnd(nodes, i-1, true)
		}
		if s.inline && before && after {
			cutBegin(nodes, i+1, false)
			if cutEnd(nodes, i-1, false) && n.kind == partialNode {
				text := nodes[i-1].original
				n.indent = text[len(strings.TrimRight(text, " \t")):]
			}
		}
		if s.opens && before {
			cutBegin(n.body, 0, false)
			cutEnd(nodes, i-1, false)
		}
		if s.closes && after {
			cutBegin(nodes, i+1, false)
			last := n.body
			if n.otherwise {
				last = n.inverse
			}
			cutEnd(last, len(last)-1, false)
		}
	}
}

func (n *node) standing() (standing, bool) {
	switch n.kind {
	case textNode:
		return standing{}, false
	case blockNode:
		return n.block(), true
	case printNode:
		return standing{strip: n.open}, true
	}
	return standing{strip: n.open, inline: true}, true
}

// block strips the inside of a block.
func (n *node) block() standing {
	stripProgram(n.body, false)
	stripProgram(n.inverse, false)
	first, last := n.body, n.body
	if n.otherwise {
		first, last = n.inverse, n.inverse
	}
	if n.chained {
		first, last = n.inverse[0].body, n.inverse[0].body
	}
	s := standing{strip: strip{left: n.open.left, right: n.close.right},
		opens: blankAfter(n.body, -1, false), closes: blankBefore(first, len(first), false)}
	if n.open.right {
		cutBegin(n.body, 0, true)
	}
	if !n.otherwise {
		if n.close.left {
			cutEnd(n.body, len(n.body)-1, true)
		}
		return s
	}
	if n.inverted.left {
		cutEnd(n.body, len(n.body)-1, true)
	}
	if n.inverted.right {
		cutBegin(first, 0, true)
	}
	if n.close.left {
		cutEnd(last, len(last)-1, true)
	}
	if blankBefore(n.body, len(n.body), false) && blankAfter(first, -1, false) { // the else stands alone
		cutEnd(n.body, len(n.body)-1, false)
		cutBegin(first, 0, false)
	}
	return s
}

// blankBefore reports whether only white space stands before the node i on its line.
func blankBefore(nodes []*node, i int, root bool) bool {
	if i < 1 {
		return root
	}
	text := nodes[i-1].original
	run := text[len(strings.TrimRight(text, blank)):]
	return nodes[i-1].kind == textNode && (strings.Contains(run, "\n") || i == 1 && root && run == text)
}

// blankAfter reports whether only white space stands after the node i on its line.
func blankAfter(nodes []*node, i int, root bool) bool {
	if i+1 >= len(nodes) {
		return root
	}
	text := nodes[i+1].original
	run := text[:len(text)-len(strings.TrimLeft(text, blank))]
	return nodes[i+1].kind == textNode && (strings.Contains(run, "\n") || i+2 == len(nodes) && root && run == text)
}

// cutBegin takes white space off the beginning of a text: all of it, or up to the end of its line.
func cutBegin(nodes []*node, i int, all bool) {
	if i < 0 || i >= len(nodes) || nodes[i].kind != textNode || !all && nodes[i].rightStripped {
		return
	}
	n := nodes[i]
	cut := strings.TrimLeft(n.text, blank)
	if !all {
		cut = strings.TrimLeft(n.text, " \t")
		if rest, ok := strings.CutPrefix(cut, "\r\n"); ok {
			cut = rest
		} else {
			cut = strings.TrimPrefix(cut, "\n")
		}
	}
	n.rightStripped = cut != n.text
	n.text = cut
}

// cutEnd takes white space off the end of a text: all of it, or what stands on its last line. It reports
// whether there was any.
func cutEnd(nodes []*node, i int, all bool) bool {
	if i < 0 || i >= len(nodes) || nodes[i].kind != textNode || !all && nodes[i].leftStripped {
		return false
	}
	n := nodes[i]
	cut := strings.TrimRight(n.text, blank)
	if !all {
		cut = strings.TrimRight(n.text, " \t")
	}
	n.leftStripped = cut != n.text
	n.text = cut
	return n.leftStripped
}
