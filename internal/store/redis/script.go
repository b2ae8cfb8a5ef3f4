package redis

import (
	"context"
	_ "embed"
	"strings"

	"github.com/redis/rueidis"
)

//go:embed common.lua
var commonLua string

//go:embed head.lua
var headLua string

//go:embed apply.lua
var applyLua string

//go:embed snapshot.lua
var snapshotLua string

// script is one that Redis carries out in one step. Its first line tells Redis what it must refuse before
// it begins: all writing on a replica that only reads, on a disk that failed, and where memory is full.
type script struct {
	text     string
	sha1     string
	readOnly bool
	retry    bool // it changes nothing, so it may be tried again
}

func newScript(flags, body string) script {
	s := script{text: strings.TrimSpace("#!lua "+flags) + "\n" + commonLua + body}
	s.sha1 = sum(s.text)
	return s
}

func headScript() script {
	s := newScript("flags=allow-oom", headLua)
	s.retry = true
	return s
}

func snapshotScript() script {
	s := newScript("flags=no-writes", snapshotLua)
	s.readOnly, s.retry = true, true
	return s
}

// applyScript is allowed where memory is full if it only deletes.
func applyScript(deletesOnly bool) script {
	if deletesOnly {
		return newScript("flags=allow-oom", applyLua)
	}
	return newScript("", applyLua)
}

// run calls a script by its digest, and with its text where Redis does not know it yet. The commands after
// are sent on the same connection, right behind it; their answers follow its own. They may wait, so then it is
// called once only, with its text.
func (s script) run(ctx context.Context, c rueidis.Client, keys, args []string, after ...func(rueidis.Client) rueidis.Completed) []rueidis.RedisResult {
	results := s.call(ctx, c, len(after) == 0, keys, args, after)
	if e, ok := rueidis.IsRedisErr(results[0].Error()); ok && e.IsNoScript() {
		results = s.call(ctx, c, false, keys, args, after)
	}
	return results
}

func (s script) call(ctx context.Context, c rueidis.Client, bySHA1 bool, keys, args []string, after []func(rueidis.Client) rueidis.Completed) []rueidis.RedisResult {
	commands := make([]rueidis.Completed, 0, 1+len(after))
	commands = append(commands, s.command(c, bySHA1, keys, args))
	for _, f := range after {
		commands = append(commands, f(c))
	}
	if len(commands) == 1 {
		return []rueidis.RedisResult{c.Do(ctx, commands[0])}
	}
	return c.DoMulti(ctx, commands...)
}

func (s script) command(c rueidis.Client, bySHA1 bool, keys, args []string) rueidis.Completed {
	n := int64(len(keys))
	var command rueidis.Completed
	switch {
	case s.readOnly && bySHA1:
		command = c.B().EvalshaRo().Sha1(s.sha1).Numkeys(n).Key(keys...).Arg(args...).Build()
	case s.readOnly:
		command = c.B().EvalRo().Script(s.text).Numkeys(n).Key(keys...).Arg(args...).Build()
	case bySHA1:
		command = c.B().Evalsha().Sha1(s.sha1).Numkeys(n).Key(keys...).Arg(args...).Build()
	default:
		command = c.B().Eval().Script(s.text).Numkeys(n).Key(keys...).Arg(args...).Build()
	}
	if s.retry {
		command = command.ToRetryable()
	}
	return command
}
