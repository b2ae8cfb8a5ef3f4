package forge

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/google/go-github/v60/github"

	"github.com/llm-config-manager/lcm/internal/commitstatus"
)

// maxDescription is how much GitHub takes, in code points.
const maxDescription = 140

// DefaultContext tells our statuses from those of other systems.
const DefaultContext = "lcm/reconciler"

// Statuses shows commit statuses at GitHub: docs.github.com/rest/commits/statuses. It is safe for concurrent use.
type Statuses struct {
	github  *GitHub
	context string
	url     string
}

// Statuses returns what shows statuses under a context ("": DefaultContext), with a link ("": none). The token must be
// allowed to write commit statuses.
func (g *GitHub) Statuses(context, url string) *Statuses {
	if context == "" {
		context = DefaultContext
	}
	return &Statuses{g, context, url}
}

// SetStatus implements commitstatus.Setter.
func (s *Statuses) SetStatus(ctx context.Context, status commitstatus.Status) error {
	body := &github.RepoStatus{State: github.String(string(status.State)), Context: &s.context, Description: github.String(shorten(status.Description))}
	if s.url != "" {
		body.TargetURL = &s.url
	}
	_, resp, err := s.github.client.Repositories.CreateStatus(ctx, s.github.owner, s.github.name, string(status.Revision), body)
	if err == nil {
		return nil
	}
	return statusError(ctx, resp, err)
}

// statusError tells what is worth another try from what is not, and keeps of it what may be shown.
func statusError(ctx context.Context, resp *github.Response, err error) error {
	var limit *github.RateLimitError
	var abuse *github.AbuseRateLimitError
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &limit):
		return &commitstatus.Retry{After: max(0, time.Until(limit.Rate.Reset.Time)) + time.Second, Err: said(err)}
	case errors.As(err, &abuse):
		return &commitstatus.Retry{After: max(abuse.GetRetryAfter(), time.Minute), Err: said(err)}
	case resp == nil || resp.Response == nil: // nobody answered
		if errors.Is(err, errToken) {
			return err
		}
		return &commitstatus.Retry{Err: said(err)}
	case resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode >= 500:
		return &commitstatus.Retry{After: retryAfter(resp), Err: fmt.Errorf("the forge answered %s", resp.Status)}
	}
	return fmt.Errorf("the forge answered %s: check the repository's name, and that the token may write commit statuses", resp.Status)
}

// retryAfter reads the header of that name, in seconds; 0 for none.
func retryAfter(resp *github.Response) time.Duration {
	seconds, err := strconv.Atoi(resp.Header.Get("Retry-After"))
	if err != nil || seconds < 0 || seconds > 1e6 {
		return 0
	}
	return time.Duration(seconds) * time.Second
}

// shorten cuts a text to what GitHub takes.
func shorten(text string) string {
	if utf8.RuneCountInString(text) <= maxDescription {
		return text
	}
	return string([]rune(text)[:maxDescription-1]) + "…"
}
