# What the reconciler's user needs, and no more. Narrow /lcm/ to the tenants of the daemon, one line for
# each: /lcm/acme-corp/. A user without a password logs in by a client certificate with its name.
etcdctl role add lcm
etcdctl role grant-permission lcm --prefix=true readwrite /lcm/
etcdctl user add lcm
etcdctl user grant-role lcm lcm
# For applications that read.
etcdctl role add lcm-reader
etcdctl role grant-permission lcm-reader --prefix=true read /lcm/
etcdctl user add app
etcdctl user grant-role app lcm-reader
# Without this anybody may do anything.
etcdctl user add root
etcdctl user grant-role root root
etcdctl auth enable
