"""The sidecar router: a Rust engine on the request path and a small Python process around it."""

__version__ = "0.1.0"
