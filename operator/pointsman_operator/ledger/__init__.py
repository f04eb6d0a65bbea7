"""Budget arithmetic (pure) and its store: who may spend how much of which limit in which window."""
