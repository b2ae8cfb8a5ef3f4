package redis

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"

	"github.com/redis/rueidis"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/store"
)

// names are all entries of a database, by namespace. A namespace of which only the marker or the index
// stands has none.
type names map[lcm.Namespace][]string

// sweeper looks at all names of the database, which is the only way to find what somebody else has put
// beside our entries: Redis keeps names in no order. Who asks while one look is under way waits for the next
// one, together with all others who do, so that listing a thousand namespaces takes few looks.
type sweeper struct {
	look func(context.Context) (names, error)

	mu   sync.Mutex
	next *sweep // has not begun; nil: nobody waits
	busy sync.Mutex
}

type sweep struct {
	done  chan struct{}
	names names
	err   error
}

// all returns the names as they stood at some moment after the call.
func (s *sweeper) all(ctx context.Context) (names, error) {
	s.mu.Lock()
	w := s.next
	if w == nil {
		w = &sweep{done: make(chan struct{})}
		s.next = w
		go s.run(context.WithoutCancel(ctx), w) // others may wait for it longer than this one does
	}
	s.mu.Unlock()
	select {
	case <-w.done:
		return w.names, w.err
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", errConnection, context.Cause(ctx))
	}
}

func (s *sweeper) run(ctx context.Context, w *sweep) {
	s.busy.Lock()
	defer s.busy.Unlock()
	s.mu.Lock()
	s.next = nil
	s.mu.Unlock()
	w.names, w.err = s.look(ctx)
	close(w.done)
}

// Namespaces implements store.Writer.
func (t *Target) Namespaces(ctx context.Context, orgs []string) ([]lcm.Namespace, error) {
	all, err := t.sweeper.all(ctx)
	if err != nil {
		return nil, fmt.Errorf("looking for namespaces: %w", err)
	}
	var found []lcm.Namespace
	for ns := range all {
		if store.Of(orgs, ns.Org) {
			found = append(found, ns)
		}
	}
	return found, nil
}

// sweep reads all names that are ours by their form, from each server that keeps any.
func (t *Target) sweep(ctx context.Context) (names, error) {
	all, seen := names{}, namespaces{}
	var servers []rueidis.Client
	err := t.use(ctx, func(ctx context.Context, c rueidis.Client) (err error) {
		servers, err = masters(ctx, c)
		return err
	})
	total := 0
	for _, server := range servers {
		for cursor, n, more := uint64(0), 0, err == nil; more; more = err == nil && cursor != 0 {
			cursor, err = t.scan(ctx, server, cursor, all, seen, &total)
			if n++; n > maxScans && err == nil {
				err = fault("redis: the database holds too many names to look through: give the daemon one of its own")
			}
		}
	}
	if err != nil {
		return nil, err
	}
	return all, nil
}

const (
	scanCount = 4000   // names that a server looks at in one step, for less than a millisecond
	maxScans  = 25_000 // steps: a hundred million names
)

// scan reads some names of one server.
func (t *Target) scan(ctx context.Context, server rueidis.Client, cursor uint64, all names, seen namespaces, total *int) (next uint64, err error) {
	var found rueidis.ScanEntry
	err = t.use(ctx, func(ctx context.Context, _ rueidis.Client) (err error) {
		found, err = server.Do(ctx, server.B().Scan().Cursor(cursor).Match(pattern).Count(scanCount).Build()).AsScanEntry()
		return err
	})
	for _, name := range found.Elements {
		ns, key, ok := seen.parse(name)
		if !ok {
			continue
		}
		if *total++; *total > t.config.MaxKeys {
			return 0, fmt.Errorf("redis: the database holds more than %d names below lcm: the limit keeps others from filling the daemon's memory", t.config.MaxKeys)
		}
		keys := all[ns]
		if key != markerName && key != indexName {
			keys = append(keys, key)
		}
		all[ns] = keys
	}
	return found.Cursor, err
}

const slots = 16384

// masters returns the servers that keep the values: of a Cluster all masters, or an error if some part of
// the values has none. Asked for its names, a server of a broken Cluster answers with those that it has.
func masters(ctx context.Context, c rueidis.Client) ([]rueidis.Client, error) {
	if c.Mode() != rueidis.ClientModeCluster {
		return []rueidis.Client{c}, nil
	}
	ranges, err := c.Do(ctx, c.B().ClusterSlots().Build()).ToArray()
	if err != nil {
		return nil, err
	}
	nodes, covered := c.Nodes(), int64(0)
	found := map[string]rueidis.Client{}
	for _, r := range ranges {
		from, to, address, err := slotRange(r)
		if err != nil {
			return nil, err
		}
		covered += to - from + 1
		if found[address] = nodes[address]; found[address] == nil {
			return nil, errMoving
		}
	}
	if covered != slots {
		return nil, &answerError{"CLUSTERDOWN"}
	}
	all := make([]rueidis.Client, 0, len(found))
	for _, server := range found {
		all = append(all, server)
	}
	return all, nil
}

// slotRange takes one line of CLUSTER SLOTS apart: from, to, and the master as its host and port.
func slotRange(m rueidis.RedisMessage) (from, to int64, address string, err error) {
	line, err := m.ToArray()
	if err != nil || len(line) < 3 {
		return 0, 0, "", errAnswer
	}
	master, err := line[2].ToArray()
	if err != nil || len(master) < 2 {
		return 0, 0, "", errAnswer
	}
	from, errFrom := line[0].AsInt64()
	to, errTo := line[1].AsInt64()
	host, errHost := master[0].ToString()
	port, errPort := master[1].AsInt64()
	return from, to, net.JoinHostPort(host, strconv.FormatInt(port, 10)), errors.Join(errFrom, errTo, errHost, errPort)
}
