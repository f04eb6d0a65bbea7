"""The bench: what the sidecar adds, beside nginx and a bare hyper proxy, in interleaved rounds."""
