"""The admission webhooks: a small FastAPI app around `inject`, stateless, two replicas or more."""
