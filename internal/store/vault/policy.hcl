# What the reconciler's login must be allowed, and nothing else. Replace "secret" by the mount of the
# KV version 2 engine; narrow the paths to the tenants of the daemon: secret/data/acme-corp/* …

# Values: read to compare, written with check-and-set. No "delete" here: see secret/delete below.
path "secret/data/*" {
  capabilities = ["create", "read", "update"]
}

# Marks. Deleting metadata would destroy the history of a value; that is never done.
path "secret/metadata/*" {
  capabilities = ["create", "list", "patch", "read", "update"]
}

# Soft delete of one named version, which can be undone.
path "secret/delete/*" {
  capabilities = ["update"]
}
