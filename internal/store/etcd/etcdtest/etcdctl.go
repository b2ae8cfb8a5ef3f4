package etcdtest

import (
	"os"
	"strings"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// Etcdctl carries out commands as etcd's command line would, for an operator: lines of the few commands that set
// up users and roles. Other lines are not looked at. So what the documentation says can be what the tests do.
func (c *Cluster) Etcdctl(t testing.TB, lines string) {
	t.Helper()
	api := c.Operator(t)
	for line := range strings.Lines(lines) {
		args := strings.Fields(line)
		if len(args) < 3 || args[0] != "etcdctl" {
			continue
		}
		if err := c.etcdctl(t, api, args[1]+" "+args[2], args[3:]); err != nil {
			t.Fatalf("%s: %v", strings.TrimSpace(line), err)
		}
		if strings.HasPrefix(strings.TrimSpace(line), "etcdctl auth enable") {
			c.RootPassword = rootPassword
			api = c.Operator(t)
		}
	}
}

const rootPassword = "a password of root's"

func (c *Cluster) etcdctl(t testing.TB, api *clientv3.Client, command string, args []string) (err error) {
	ctx := t.Context()
	switch command {
	case "role add":
		_, err = api.RoleAdd(ctx, args[0])
	case "role grant-permission": // ROLE --prefix=true TYPE KEY
		kind := map[string]clientv3.PermissionType{"read": clientv3.PermissionType(clientv3.PermRead), "readwrite": clientv3.PermissionType(clientv3.PermReadWrite)}
		_, err = api.RoleGrantPermission(ctx, args[0], args[3], clientv3.GetPrefixRangeEnd(args[3]), kind[args[2]])
	case "user add":
		if len(args) > 1 && args[1] == "--no-password" {
			_, err = api.UserAddWithOptions(ctx, args[0], "", &clientv3.UserAddOptions{NoPassword: true})
			break
		}
		_, err = api.UserAdd(ctx, args[0], Password(args[0]))
	case "user grant-role":
		_, err = api.UserGrantRole(ctx, args[0], args[1])
	case "auth enable":
		_, err = api.AuthEnable(ctx)
	default:
		t.Fatalf("etcdtest: etcdctl %s is not known here", command)
	}
	return err
}

// Password is that of a user whom Etcdctl made.
func Password(user string) string {
	if user == "root" {
		return rootPassword
	}
	return "a password of " + user + "'s"
}

// PasswordFile writes it to a file.
func PasswordFile(t testing.TB, user string) string {
	t.Helper()
	file := t.TempDir() + "/password"
	if err := os.WriteFile(file, []byte(Password(user)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
