package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"sync"

	"github.com/llm-config-manager/lcm/internal/reconcile"
)

// eventsConfig says where events are kept.
type eventsConfig struct {
	File string `json:"file"`
}

// eventFile is where each event is a line of JSON. The zero path is no file.
type eventFile struct {
	path string

	mu   sync.Mutex // guards what follows
	file *os.File
}

// openEvents opens the file, and makes it if it is missing.
func openEvents(path string) (*eventFile, error) {
	f := &eventFile{path: path}
	if err := f.Reopen(); err != nil {
		return nil, configErrorf("events.file: %v", err)
	}
	return f, nil
}

// Reopen opens the file anew, which may have been moved away. If that fails, the old one stays in use.
func (f *eventFile) Reopen() error {
	if f == nil || f.path == "" {
		return nil
	}
	file, err := os.OpenFile(f.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o640)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	old := f.file
	if f.file = file; old != nil {
		return old.Close()
	}
	return nil
}

// write appends an event, whole.
func (f *eventFile) write(e reconcile.Event) error {
	if f == nil || f.path == "" {
		return nil
	}
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	_, err = f.file.Write(append(line, '\n'))
	return err
}

// Close closes the file.
func (f *eventFile) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.file == nil {
		return nil
	}
	return f.file.Close()
}

// logEvent puts an event into the log.
func logEvent(log *slog.Logger, e reconcile.Event) {
	level := slog.LevelInfo
	switch e.Event {
	case reconcile.EventRefused, reconcile.EventStale:
		level = slog.LevelError
	case reconcile.EventHeld, reconcile.EventFailed, reconcile.EventDrift, reconcile.EventSuspended:
		level = slog.LevelWarn
	}
	attrs := []any{"event", e.Event, "repository", e.Repository}
	add := func(name, value string) {
		if value != "" {
			attrs = append(attrs, name, value)
		}
	}
	add("revision", e.Revision.Short())
	add("namespace", e.Namespace)
	add("target", e.Target)
	add("address", e.Address)
	add("kind", string(e.Kind))
	add("pattern", e.Pattern)
	add("signer", e.Signer)
	add("by", e.By)
	add("rule", e.Rule)
	if e.Path != "" && e.Line > 0 {
		add("at", fmt.Sprintf("%s:%d", e.Path, e.Line))
	} else {
		add("at", e.Path)
	}
	if len(e.Changes) > 0 {
		attrs = append(attrs, "changes", e.Changes)
	}
	add("reason", e.Reason)
	log.Log(context.Background(), level, "event", attrs...)
}
