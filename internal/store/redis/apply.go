package redis

import (
	"context"
	"crypto/rand"
	"fmt"
	"strconv"

	"github.com/redis/rueidis"

	"github.com/llm-config-manager/lcm/internal/store"
)

// Apply carries out a batch in one step: it is done wholly or not at all. Where that is configured, it then
// waits until the write is confirmed to be durable.
func (t *Target) Apply(ctx context.Context, b store.Batch) error {
	if err := b.Check(t.Capabilities()); err != nil {
		return err
	}
	keys, args, err := t.arguments(b)
	if err != nil {
		return fmt.Errorf("writing %s: %w", b.Namespace, err)
	}
	var why []string
	err = t.use(ctx, func(ctx context.Context, c rueidis.Client) (err error) {
		why, err = t.write(ctx, c, b, keys, args)
		return err
	})
	if err != nil {
		return fmt.Errorf("writing %s: %w", b.Namespace, err)
	}
	return refusal(b, why)
}

// write calls the script and waits for the confirmation.
func (t *Target) write(ctx context.Context, c rueidis.Client, b store.Batch, keys, args []string) ([]string, error) {
	results := applyScript(deletesOnly(b)).run(ctx, c, keys, args, t.config.Durability.confirm(t.config.Timeout)...)
	why, err := results[0].AsStrSlice()
	if err != nil || len(why) > 0 {
		if results[0].NonRedisError() != nil && len(results) > 1 { // it may have been written all the same
			t.settle(b.Namespace, false)
		}
		return why, err
	}
	err = t.config.Durability.confirmed(results[1:])
	t.settle(b.Namespace, err == nil)
	return nil, err
}

func deletesOnly(b store.Batch) bool {
	for _, c := range b.Changes {
		if c.Action != store.Delete {
			return false
		}
	}
	return len(b.Changes) > 0
}

// maxChanges is how many changes one batch may have: Redis takes a command of at most 1,048,576 words.
const maxChanges = 50_000

// arguments are those of apply.lua.
func (t *Target) arguments(b store.Batch) (keys, args []string, err error) {
	marker, err := encode(b.Marker)
	if err != nil {
		return nil, nil, err
	}
	message, err := encode(change{b.Namespace.String(), b.Marker.Repository, b.Marker.Revision})
	if err != nil {
		return nil, nil, err
	}
	keys, args = headOf(b.Namespace), append([]string{Channel, message, marker, rand.Text(), strconv.FormatUint(b.Marker.Term, 10)}, expected(b.If)...)
	if len(b.Changes) > maxChanges {
		return nil, nil, fmt.Errorf("redis: more than %d changes are more than Redis takes in one command: divide the service", maxChanges)
	}
	size := int64(0)
	for _, c := range b.Changes {
		if c.Action != store.Delete && c.Meta == (store.Meta{}) {
			return nil, nil, fmt.Errorf("%s: redis: the mark is empty", c.Key)
		}
		if size += int64(len(c.Value)); size > t.config.MaxBatchBytes {
			return nil, nil, fmt.Errorf("redis: its changes hold more than %d bytes of values, and Redis would answer nobody while it writes them: divide the service", t.config.MaxBatchBytes)
		}
		keys = append(keys, entryName(b.Namespace.Key(c.Key)))
		value := string(c.Value)
		args = append(args, string(c.Action), string(c.If), c.Key, value, sum(value))
		args = append(args, markFields(c.Meta)...)
	}
	return keys, args, nil
}

// expected says what the marker must say.
func expected(m *store.Marker) []string {
	how := "only"
	if m == nil {
		how, m = "any", &store.Marker{}
	}
	return []string{how, m.Repository, string(m.Revision), string(m.Phase), strconv.FormatUint(m.Term, 10)}
}

// refusal makes an error of what apply.lua answers.
func refusal(b store.Batch, why []string) error {
	if len(why) == 0 {
		return nil
	}
	if len(why) != 2 {
		return errAnswer
	}
	place := b.Namespace.String()
	if why[0] == "fenced" {
		term, err := strconv.ParseUint(why[1], 10, 64)
		if err != nil {
			return errAnswer
		}
		return b.Fenced(store.Marker{Term: term})
	}
	if why[1] != "" {
		place += "/" + why[1]
	}
	switch why[0] {
	case "conflict":
		return fmt.Errorf("%s: %w", place, store.ErrConflict)
	case "unmarked":
		return fmt.Errorf("%s: it bears no mark, so it is not ours: %w", place, store.ErrConflict)
	case "denied":
		return fmt.Errorf("writing %s: %w", place, errDenied)
	}
	return errAnswer
}
