"""`pointsman keys`: API keys of callers from outside pods, made, listed and withdrawn by people."""
