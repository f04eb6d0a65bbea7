"""The only Kubernetes I/O: connection, watches, server-side apply, Lease, Events, the hub."""
