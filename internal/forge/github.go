// Package forge asks the server on which pull requests are merged what people said of them there, and shows what became
// of commits. Nothing that it answers is proof: trust lets it count as far as the policy says.
package forge

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/google/go-github/v60/github"

	"github.com/llm-config-manager/lcm/internal/lcm"
	"github.com/llm-config-manager/lcm/internal/trust"
)

// Config says which repository of which GitHub is asked.
type Config struct {
	URL        string // of the REST API; "": https://api.github.com/. At GitHub Enterprise Server it ends with /api/v3/
	Repository string // owner/name
	TokenFile  string // a token that may read pull requests, read at every request; "": none is sent
}

// GitHub is GitHub's REST API of version 2022-11-28 (docs.github.com/rest), or what speaks it. It is safe for
// concurrent use.
type GitHub struct {
	client      *github.Client
	owner, name string
}

// Bounds on what is read of an answer.
const (
	timeout     = 20 * time.Second // of one request
	maxBody     = 4 << 20
	perPage     = 100
	maxPages    = 10
	maxRequests = 5 // pull requests of one commit
)

var repositoryName = regexp.MustCompile(`^([A-Za-z0-9][A-Za-z0-9-]{0,99})/([A-Za-z0-9_.-]{1,100})$`)

// NewGitHub makes a client. Nothing is asked yet.
func NewGitHub(cfg Config) (*GitHub, error) {
	m := repositoryName.FindStringSubmatch(cfg.Repository)
	if m == nil || m[2] == "." || m[2] == ".." {
		return nil, fmt.Errorf("the repository at the forge is owner/name, not %q", cfg.Repository)
	}
	client := github.NewClient(&http.Client{Timeout: timeout, Transport: &transport{tokenFile: cfg.TokenFile, base: http.DefaultTransport},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }})
	if cfg.URL != "" {
		var err error
		if client.BaseURL, err = client.BaseURL.Parse(strings.TrimSuffix(cfg.URL, "/") + "/"); err != nil {
			return nil, fmt.Errorf("the URL of the forge: %w", err)
		}
	}
	return &GitHub{client, m[1], m[2]}, nil
}

// Reviews returns the approvals of the pull requests that a commit merges, oldest first, each for the commit
// that was the head when it was given. One that was dismissed, or that its author followed by a request for changes,
// is left out.
func (g *GitHub) Reviews(ctx context.Context, step lcm.Revision) ([]trust.Review, error) {
	pulls, _, err := g.client.PullRequests.ListPullRequestsWithCommit(ctx, g.owner, g.name, string(step), &github.ListOptions{PerPage: perPage})
	if err != nil {
		return nil, said(err)
	}
	var all []trust.Review
	for _, pull := range pulls[:min(len(pulls), maxRequests)] {
		if pull.GetMergeCommitSHA() != string(step) || pull.GetMergedAt().IsZero() {
			continue // it only contains the commit
		}
		reviews, err := g.reviewsOf(ctx, pull.GetNumber())
		if err != nil {
			return nil, err
		}
		all = append(all, reviews...)
	}
	return all, nil
}

func (g *GitHub) reviewsOf(ctx context.Context, number int) ([]trust.Review, error) {
	var standing []trust.Review
	for page := 1; page <= maxPages; {
		reviews, resp, err := g.client.PullRequests.ListReviews(ctx, g.owner, g.name, number, &github.ListOptions{PerPage: perPage, Page: page})
		if err != nil {
			return nil, said(err)
		}
		for _, r := range reviews { // in the order in which they were given
			standing = after(standing, r)
		}
		if page = resp.NextPage; page == 0 {
			return standing, nil
		}
	}
	return nil, fmt.Errorf("pull request %d has more than %d reviews: what the last ones say is unknown", number, perPage*maxPages)
}

// after is what stands once one more review was given.
func after(standing []trust.Review, r *github.PullRequestReview) []trust.Review {
	login := r.GetUser().GetLogin()
	switch {
	case login == "":
	case r.GetState() == "APPROVED" && lcm.ValidRevision(r.GetCommitID()):
		return append(standing, trust.Review{Login: login, Commit: lcm.Revision(r.GetCommitID()), At: r.GetSubmittedAt().Time})
	case r.GetState() == "CHANGES_REQUESTED":
		return slices.DeleteFunc(standing, func(s trust.Review) bool { return strings.EqualFold(s.Login, login) })
	}
	return standing
}

// transport sends the token, and bounds what is read of an answer.
type transport struct {
	tokenFile string
	base      http.RoundTripper
}

func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	req.Header.Set("X-GitHub-Api-Version", "2022-11-28")
	if t.tokenFile != "" {
		token, err := readToken(t.tokenFile)
		if err != nil {
			return nil, err
		}
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := t.base.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	resp.Body = &limited{Reader: io.LimitReader(resp.Body, maxBody), Closer: resp.Body}
	return resp, nil
}

type limited struct {
	io.Reader
	io.Closer
}

// errToken is that there is no token to send.
var errToken = errors.New("reading the token of the forge")

func readToken(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", fmt.Errorf("%w: %w", errToken, err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, 4<<10))
	if err != nil {
		return "", fmt.Errorf("%w: %w", errToken, err)
	}
	token := strings.TrimSpace(string(data))
	if token == "" || strings.ContainsFunc(token, func(c rune) bool { return c <= ' ' || c > '~' }) {
		return "", fmt.Errorf("%w: the file %s holds none", errToken, file)
	}
	return token, nil
}

// said keeps of an error what may be shown: an answer can hold anything.
func said(err error) error {
	var response *github.ErrorResponse
	var limit *github.RateLimitError
	var abuse *github.AbuseRateLimitError
	switch {
	case errors.As(err, &limit):
		return fmt.Errorf("the forge allows no more requests until %s", limit.Rate.Reset.UTC().Format(time.RFC3339))
	case errors.As(err, &abuse):
		return errors.New("the forge asks for fewer requests")
	case errors.As(err, &response) && response.Response != nil:
		return fmt.Errorf("the forge answered %s: check the repository's name and that the token may read pull requests", response.Response.Status)
	}
	return err
}
