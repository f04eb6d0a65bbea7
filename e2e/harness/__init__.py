"""A real Kubernetes for tests: a control plane in seconds, a node with real pods where root may.

`control_plane.ControlPlane` and `cluster.Cluster` are what tests use; `fixtures` holds them as
pytest fixtures, `__main__` is `make cluster`.
"""
