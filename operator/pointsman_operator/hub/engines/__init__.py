"""Self-hosted engines as the hub sees them: where they are, how full, who is told."""
