package vault

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// minRenewal is the shortest renewal worth having, in seconds: near the end of a token's longest
// life a renewal gives less and less.
const minRenewal = 10

// login holds the token that all requests use.
type login struct {
	static string
	file   string
	method *method // nil: one of the above

	mu        sync.Mutex // held while logging in: one login for all that wait
	token     string
	renewable bool
	renewAt   time.Time // when the token has lived two thirds of its time; zero: it is kept until Vault refuses it
}

// method is a login of which Vault's answer is a token.
type method struct {
	name  string
	mount string
	wrong string                            // what may be wrong when Vault refuses it
	body  func() (map[string]string, error) // reads the credentials anew
}

func (c Config) method() *method {
	switch {
	case c.AppRole != (AppRole{}):
		return &method{"AppRole", c.AppRole.Mount, "role id, secret id or the AppRole mount is wrong, or the secret id has run out", c.AppRole.body}
	case c.Kubernetes != (JWT{}):
		return &method{"Kubernetes", c.Kubernetes.Mount, "the role or the mount is wrong, or the role is not bound to this service account and namespace", c.Kubernetes.body}
	case c.JWT != (JWT{}):
		return &method{"JWT", c.JWT.Mount, "the role or the mount is wrong, or the token has run out or is not what the role is bound to", c.JWT.body}
	}
	return nil
}

func (a AppRole) body() (map[string]string, error) {
	body := map[string]string{"role_id": a.RoleID}
	if a.SecretIDFile == "" {
		return body, nil
	}
	var err error
	body["secret_id"], err = readWord(a.SecretIDFile)
	return body, err
}

func (j JWT) body() (map[string]string, error) {
	token, err := readWord(j.File)
	return map[string]string{"role": j.Role, "jwt": token}, err
}

// token returns the token to use, fetching or renewing it when that is due.
func (c *client) token(ctx context.Context) (string, error) {
	l := &c.login
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.token != "" && (l.renewAt.IsZero() || time.Now().Before(l.renewAt)) {
		return l.token, nil
	}
	if l.token != "" && l.renewable && c.renew(ctx) == nil {
		return l.token, nil
	}
	return l.token, c.fetch(ctx)
}

// replace gives another token for one with which a request was refused. It reports false if the
// token is still good, so that what the policy forbids costs no login.
func (c *client) replace(ctx context.Context, refused string) (token string, ok bool, err error) {
	l := &c.login
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.token != refused {
		return l.token, true, nil // somebody else was faster
	}
	if l.static != "" {
		return "", false, nil
	}
	self := request{method: http.MethodGet, path: "auth/token/lookup-self"}
	if err := c.exchange(ctx, refused, self, &struct{}{}); !isStatus(err, http.StatusForbidden) {
		return "", false, err
	}
	if err := c.fetch(ctx); err != nil {
		return "", false, err
	}
	return l.token, l.token != refused, nil
}

// fetch reads the token or logs in for one. l.mu is held.
func (c *client) fetch(ctx context.Context) (err error) {
	l := &c.login
	switch {
	case l.method != nil:
		return c.logIn(ctx, *l.method)
	case l.file != "":
		if l.token, err = readWord(l.file); err != nil {
			return fmt.Errorf("vault: reading the token: %w", err)
		}
	default:
		l.token = l.static
	}
	return nil
}

// grant is what Vault says of a token that it gives or renews.
type grant struct {
	Auth struct {
		Token     string `json:"client_token"`
		Seconds   int64  `json:"lease_duration"`
		Renewable bool   `json:"renewable"`
	} `json:"auth"`
}

func (c *client) logIn(ctx context.Context, m method) error {
	body, err := m.body()
	if err != nil {
		return fmt.Errorf("vault: %s login: %w", m.name, err)
	}
	var g grant
	r := request{method: http.MethodPost, path: "auth/" + m.mount + "/login", body: body}
	err = c.exchange(ctx, "", r, &g)
	switch {
	case isStatus(err, http.StatusBadRequest), isStatus(err, http.StatusForbidden):
		return fmt.Errorf("vault: %s login refused: %s", m.name, m.wrong)
	case err != nil:
		return fmt.Errorf("%s login: %w", m.name, err)
	case g.Auth.Token == "":
		return errAnswer
	}
	c.login.use(g)
	return nil
}

// renew prolongs the token; one that cannot be renewed any further is replaced by a login.
func (c *client) renew(ctx context.Context) error {
	var g grant
	r := request{method: http.MethodPost, path: "auth/token/renew-self", body: struct{}{}}
	if err := c.exchange(ctx, c.login.token, r, &g); err != nil {
		return err
	}
	if g.Auth.Token != c.login.token || g.Auth.Seconds < minRenewal {
		return errAnswer
	}
	c.login.use(g)
	return nil
}

func (l *login) use(g grant) {
	l.token, l.renewable, l.renewAt = g.Auth.Token, g.Auth.Renewable, time.Time{}
	if g.Auth.Seconds > 0 {
		life := time.Duration(g.Auth.Seconds) * time.Second
		l.renewAt = time.Now().Add(life * 2 / 3)
	}
}

// logout revokes the token that this client logged in for. If that fails the token runs out by itself.
func (c *client) logout() {
	l := &c.login
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.method == nil || l.token == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_ = c.exchange(ctx, l.token, request{method: http.MethodPost, path: "auth/token/revoke-self", body: struct{}{}}, &struct{}{})
	l.token = ""
}
