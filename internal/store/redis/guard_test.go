package redis

import (
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/llm-config-manager/lcm/internal/lcm"
)

var space = lcm.Service{Org: "acme-corp", Project: "platform", Name: "chat"}.In("production")

// follow scans text in pieces of n bytes and counts the frames.
func follow(text string, limit int64, n int) (frames int, err error) {
	f := newFrames(limit, func(bool) error { frames++; return nil })
	for len(text) > 0 && err == nil {
		some := text[:min(n, len(text))]
		text = text[len(some):]
		err = f.scan([]byte(some))
	}
	return frames, err
}

func TestFrames(t *testing.T) {
	for name, c := range map[string]struct {
		text   string
		frames int
		err    error
	}{
		"simple":           {"+OK\r\n-ERR x\r\n:1\r\n_\r\n,1.5\r\n#t\r\n(12\r\n", 7, nil},
		"strings":          {"$5\r\nab\r\nc\r\n$0\r\n\r\n$-1\r\n=3\r\ntxt\r\n!3\r\nERR\r\n", 5, nil},
		"lists":            {"*2\r\n$1\r\na\r\n*1\r\n:1\r\n*0\r\n*-1\r\n~1\r\n+a\r\n", 4, nil},
		"empty in a list":  {"*2\r\n*0\r\n*0\r\n+OK\r\n", 2, nil},
		"map":              {"%2\r\n+a\r\n:1\r\n+b\r\n*1\r\n:2\r\n%0\r\n", 2, nil},
		"attributes":       {"|1\r\n+ttl\r\n:3\r\n+OK\r\n*1\r\n|1\r\n+a\r\n+b\r\n:1\r\n|0\r\n+OK\r\n", 3, nil},
		"begun":            {"*2\r\n+a\r\n", 0, nil},
		"string too long":  {"$1001\r\n", 0, errTooLarge},
		"string absurd":    {"$9223372036854775807\r\n", 0, errTooLarge},
		"list absurd":      {"*1000000000000\r\n", 0, errTooLarge},
		"list too long":    {"*20\r\n", 0, errTooLarge},
		"many small":       {"*10\r\n" + strings.Repeat("$90\r\n"+strings.Repeat("x", 90)+"\r\n", 10), 0, errTooLarge},
		"too deep":         {strings.Repeat("*1\r\n", 9), 0, errTooLarge},
		"line without end": {"+" + strings.Repeat("x", 70_000), 0, errTooLarge},
		"negative":         {"$-2\r\n", 0, errAnswer},
		"no number":        {"*x\r\n", 0, errAnswer},
		"streamed":         {"$?\r\n", 0, errAnswer},
		"another protocol": {"HTTP/1.1 400 Bad Request\r\n", 0, errAnswer},
		"no line":          {"\n", 0, errAnswer},
		"empty line":       {"\r\n", 0, errAnswer},
		"only a newline":   {"$51\n", 0, errAnswer},
		"null with more":   {"_x\r\n", 0, errAnswer},
		"bool with more":   {"#tt\r\n", 0, errAnswer},
		"set of null":      {"~-1\r\n", 0, errAnswer},
	} {
		limit := int64(1000)
		if name == "line without end" {
			limit = 1 << 20
		}
		for _, n := range []int{1, 3, 1 << 20} {
			if frames, err := follow(c.text, limit, n); frames != c.frames || !errors.Is(err, c.err) {
				t.Errorf("%s, in pieces of %d: %d frames, %v; want %d, %v", name, n, frames, err, c.frames, c.err)
			}
		}
	}
}

// FuzzFrames: however a stream is cut into pieces, the same is seen in it.
func FuzzFrames(f *testing.F) {
	f.Add("*2\r\n$1\r\na\r\n|1\r\n+a\r\n:1\r\n%1\r\n+a\r\n_\r\n", 3)
	f.Add(">2\r\n+message\r\n$0\r\n\r\n", 1)
	f.Fuzz(func(t *testing.T, text string, n int) {
		whole, err := follow(text, 1000, len(text)+1)
		some, errSome := follow(text, 1000, max(1, n%64))
		if whole != some || !errors.Is(err, errSome) || !errors.Is(errSome, err) {
			t.Errorf("%d frames, %v; in pieces %d, %v", whole, err, some, errSome)
		}
	})
}

// TestHostileServer: whatever listens at the address, the daemon lives on, and calls nothing absent.
func TestHostileServer(t *testing.T) {
	hello := "%1\r\n$5\r\nproto\r\n:3\r\n"
	for name, says := range map[string]string{
		"nothing":           "",
		"another protocol":  "HTTP/1.1 400 Bad Request\r\n\r\n",
		"a string absurd":   "$9000000000000000000\r\n",
		"a list absurd":     "*9000000000000000000\r\n",
		"an unasked answer": hello + "+OK\r\n+OK\r\n+OK\r\n",
		"a message":         hello + ">3\r\n+subscribe\r\n+x\r\n:1\r\n",
		"an invalidation":   hello + ">2\r\n+invalidate\r\n_\r\n",
		"deep":              hello + strings.Repeat("*1\r\n", 100_000),
		"another answer":    hello + "*2\r\n$1\r\n0\r\n*0\r\n" + "+OK\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			address := listen(t, func(c net.Conn) {
				_, _ = c.Read(make([]byte, 4096)) // HELLO
				_, _ = c.Write([]byte(says))
				_, _ = io.Copy(io.Discard, c)
			})
			target, err := New(Config{Address: address, Limits: Limits{Timeout: 500 * time.Millisecond}})
			if err != nil {
				t.Fatal(err)
			}
			defer target.Close()
			for range 2 {
				if l, err := target.List(t.Context(), space); err == nil {
					t.Errorf("List = %+v", l)
				} else {
					t.Log(err)
				}
			}
		})
	}
}

// TestPlaintextElsewhere: what a Sentinel or a node names is not connected to in the clear either.
func TestPlaintextElsewhere(t *testing.T) {
	c := Config{Sentinel: Sentinel{Master: "m", Addresses: []string{"127.0.0.1:1"}}}
	for _, address := range []string{"192.0.2.1:6379", "redis.example.com:6379"} {
		if _, err := c.dial(t.Context(), address, &net.Dialer{}, nil, false); err == nil || !strings.Contains(err.Error(), "in the clear") {
			t.Errorf("%s: %v", address, err)
		}
	}
}

// listen answers each connection by f, and closes it.
func listen(t *testing.T, f func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_ = c.SetDeadline(time.Now().Add(2 * time.Second))
				f(c)
			}()
		}
	}()
	return l.Addr().String()
}
