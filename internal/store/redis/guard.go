package redis

import (
	"bytes"
	"net"
	"strconv"
	"sync/atomic"
)

const (
	errTooLarge = fault("redis: the answer is larger than the configured limit")
	errAnswer   = fault("redis: the answer is not what Redis answers: is something else listening at the address?")
)

// guard is a connection that ends when the other side sends what no Redis would. The client makes room for
// whatever length it is told, and ends the program on an answer that nobody asked for; so both are noticed
// before it sees them.
type guard struct {
	net.Conn
	in, out *frames
	pushes  bool         // messages are expected: a Sentinel's
	asked   atomic.Int64 // commands sent and not yet answered
}

func newGuard(c net.Conn, limit int64, pushes bool) *guard {
	g := &guard{Conn: c, pushes: pushes}
	g.in, g.out = newFrames(limit, g.answered), newFrames(1<<62, g.sent)
	return g
}

func (g *guard) sent(bool) error {
	g.asked.Add(1)
	return nil
}

func (g *guard) answered(push bool) error {
	switch {
	case push && g.pushes:
		return nil
	case push, g.asked.Add(-1) < 0 && !g.pushes:
		return errAnswer
	}
	return nil
}

func (g *guard) Read(p []byte) (int, error) {
	n, err := g.Conn.Read(p)
	if bad := g.in.scan(p[:n]); bad != nil {
		_ = g.Conn.Close()
		return 0, bad
	}
	return n, err
}

func (g *guard) Write(p []byte) (int, error) {
	if err := g.out.scan(p); err != nil { // before it is sent, so that no answer comes before it is counted
		return 0, err
	}
	return g.Conn.Write(p)
}

// frames follows the frames of Redis' protocol (RESP2 and RESP3) in one direction, without keeping them.
type frames struct {
	limit int64            // of one frame, in bytes
	whole func(bool) error // called after each frame; true: it is a message, not an answer

	line []byte  // a header that has begun
	skip int64   // what is still to come of a string
	open []int64 // elements that are still to come, of the frame and of each list within it
	size int64   // of the frame so far
	push bool
}

func newFrames(limit int64, whole func(push bool) error) *frames {
	return &frames{limit: limit, whole: whole}
}

const (
	maxLine     = 64 << 10
	maxDepth    = 8
	elementSize = 64 // what the client keeps of an element besides its bytes, in bytes
)

func (f *frames) scan(p []byte) error {
	for len(p) > 0 {
		if f.skip > 0 {
			n := min(f.skip, int64(len(p)))
			p = p[n:]
			if f.skip -= n; f.skip == 0 {
				if err := f.close(); err != nil {
					return err
				}
			}
			continue
		}
		line, rest, whole := bytes.Cut(p, []byte{'\n'})
		p = rest
		if !whole || len(f.line) > 0 { // it goes on, or has begun, in another piece
			f.line = append(f.line, line...)
			line = f.line
		}
		if len(line) > maxLine {
			return errTooLarge
		}
		if whole {
			f.line = f.line[:0]
			if err := f.header(line); err != nil {
				return err
			}
		}
	}
	return nil
}

// header takes one line: a value of its own, or the length of what follows. It is strict where the client
// just counts bytes, so that the two never disagree about where a frame ends.
func (f *frames) header(line []byte) error {
	line, ended := bytes.CutSuffix(line, []byte{'\r'})
	if !ended || len(line) == 0 || line[0] == '_' && len(line) != 1 || line[0] == '#' && len(line) != 2 {
		return errAnswer
	}
	if len(f.open) == 0 {
		f.open, f.push = append(f.open, 1), line[0] == '>'
	}
	n := int64(-1)
	switch line[0] {
	case '+', '-', ':', '_', ',', '#', '(':
	case '$', '!', '=', '*', '~', '>', '%', '|':
		var err error
		if n, err = f.length(line); err != nil {
			return err
		}
	default:
		return errAnswer
	}
	f.size += elementSize + int64(len(line))
	switch {
	case n < 0:
		return f.then(f.close)
	case line[0] == '$' || line[0] == '!' || line[0] == '=':
		f.size += n
		f.skip = n + 2
		return f.then(nil)
	case line[0] == '%':
		n *= 2
	case line[0] == '|': // attributes stand before an element and are none
		n *= 2
		f.open[len(f.open)-1]++
	}
	f.size += n * elementSize // an announced element counts at once: room is made for it
	f.open = append(f.open, n)
	if n == 0 {
		f.open[len(f.open)-1] = 1
		return f.then(f.close)
	}
	return f.then(nil)
}

// then goes on if the frame is within its limits.
func (f *frames) then(next func() error) error {
	switch {
	case f.size > f.limit || len(f.open) > maxDepth:
		return errTooLarge
	case next == nil:
		return nil
	}
	return next()
}

// length reads a length: -1 for a null. What is longer than any limit is not added up.
func (f *frames) length(line []byte) (int64, error) {
	n, err := strconv.ParseInt(string(line[1:]), 10, 64)
	switch {
	case err != nil || n < -1 || n == -1 && line[0] != '$' && line[0] != '*':
		return 0, errAnswer
	case n > f.limit || n > 1<<40:
		return 0, errTooLarge
	}
	return n, nil
}

// close ends an element, and each list that ends with it.
func (f *frames) close() error {
	for len(f.open) > 0 {
		last := len(f.open) - 1
		if f.open[last]--; f.open[last] > 0 {
			return nil
		}
		f.open = f.open[:last]
	}
	f.size = 0
	return f.whole(f.push)
}
