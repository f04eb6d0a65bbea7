"""The commands' way to a hub in a cluster: who we are, where it is, and a relay to its pod."""
