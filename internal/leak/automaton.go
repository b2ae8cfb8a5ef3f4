package leak

// automaton finds words in a text in one pass over it, however many words there are, and in any letters:
// that of Aho and Corasick (Communications of the ACM 18, 1975), all its steps worked out beforehand.
type automaton struct {
	class [256]uint8 // of a byte; small and capital letters are one, what stands in no word is 0
	width int        // number of classes
	next  []uint32   // by state and class: where the next state's row begins, and whether words end there
	ends  [][]uint16 // by state: the words that end there
}

const wordEnds = 1 << 31

func newAutomaton(words []string) *automaton {
	a := &automaton{}
	a.classify(words)
	a.state()
	for i, w := range words {
		a.add(w, uint16(i))
	}
	a.link()
	return a
}

func (a *automaton) classify(words []string) {
	a.width = 1
	for _, w := range words {
		for i := range len(w) {
			if c := lower(w[i]); a.class[c] == 0 {
				a.class[c], a.class[upper(c)] = uint8(a.width), uint8(a.width)
				a.width++
			}
		}
	}
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

func upper(c byte) byte {
	if c >= 'a' && c <= 'z' {
		return c - 'a' + 'A'
	}
	return c
}

// state makes a new one.
func (a *automaton) state() uint32 {
	a.next = append(a.next, make([]uint32, a.width)...)
	a.ends = append(a.ends, nil)
	return uint32(len(a.ends)-1) * uint32(a.width)
}

func (a *automaton) add(word string, number uint16) {
	row := uint32(0)
	for i := range len(word) {
		step := row + uint32(a.class[word[i]])
		if a.next[step] == 0 {
			next := a.state() // which may move a.next
			a.next[step] = next
		}
		row = a.next[step]
	}
	n := int(row) / a.width
	a.ends[n] = append(a.ends[n], number)
}

// link gives every state, the nearest to the start first, the steps of the longest state that is an ending of it.
func (a *automaton) link() {
	width := uint32(a.width)
	fail := make([]uint32, len(a.ends))
	for queue := []uint32{0}; len(queue) > 0; queue = queue[1:] {
		row := queue[0]
		for c := range width {
			other := a.next[fail[row/width]+c]
			next := a.next[row+c]
			if next == 0 {
				a.next[row+c] = other
				continue
			}
			queue = append(queue, next)
			if row != 0 {
				fail[next/width] = other
				a.ends[next/width] = append(a.ends[next/width], a.ends[other/width]...)
			}
		}
	}
	for i, row := range a.next {
		if len(a.ends[row/width]) > 0 {
			a.next[i] = row | wordEnds
		}
	}
}

// each calls yield with every word that is in text, and where it ends, from the first end to the last. It
// stops where yield returns false.
func (a *automaton) each(text string, yield func(word, end int) bool) {
	row := uint32(0)
	for i := range len(text) {
		row = a.next[row+uint32(a.class[text[i]])]
		if row&wordEnds == 0 {
			continue
		}
		row &^= wordEnds
		for _, w := range a.ends[int(row)/a.width] {
			if !yield(int(w), i+1) {
				return
			}
		}
	}
}
