package leader

import (
	"encoding/binary"
	"errors"
)

// encode writes edits down: of each the length of the key, the key, the length of the value and one more, the value; 0
// for one that is gone. Lengths are as encoding/binary has them.
func encode(edits []edit) (text []byte) {
	for _, e := range edits {
		text = append(binary.AppendUvarint(text, uint64(len(e.key))), e.key...)
		if e.gone {
			text = binary.AppendUvarint(text, 0)
			continue
		}
		text = append(binary.AppendUvarint(text, uint64(len(e.value))+1), e.value...)
	}
	return text
}

var errChunk = errors.New("a chunk of an update is damaged")

// decode is the reverse of encode.
func decode(text []byte) (edits []edit, err error) {
	for len(text) > 0 {
		var e edit
		var key, value []byte
		if key, text, err = field(text, 0); err == nil {
			e.key, e.gone = string(key), len(text) > 0 && text[0] == 0
			if e.gone {
				text = text[1:]
			} else if value, text, err = field(text, 1); err == nil {
				e.value = value
			}
		}
		if err != nil {
			return nil, err
		}
		edits = append(edits, e)
	}
	return edits, nil
}

// field takes the bytes that stand behind their length, which has so much added to it.
func field(text []byte, added uint64) (bytes, rest []byte, err error) {
	n, width := binary.Uvarint(text)
	if width <= 0 || n < added || n-added > uint64(len(text)-width) {
		return nil, nil, errChunk
	}
	end := width + int(n-added)
	return text[width:end:end], text[end:], nil
}
