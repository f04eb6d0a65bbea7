"""What providers allow a whole fleet, divided among the sidecars that need it."""
