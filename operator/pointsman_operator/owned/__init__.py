"""Pure builders: one for each Kubernetes kind that Pointsman creates."""
