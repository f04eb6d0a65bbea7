"""Where routers send their spans: one form for all settings that name a collector."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field


def _collector(text: str) -> str:
    parts = urlsplit(text)
    if text and (parts.scheme not in {"http", "https"} or not parts.hostname or parts.username):
        raise ValueError("http(s)://HOST:PORT of an OTLP/HTTP collector as pods reach it")
    return text.rstrip("/")


CollectorURL = Annotated[str, AfterValidator(_collector)]
"""`http(s)://HOST:PORT`; empty: no collector."""
SamplePercent = Annotated[int, Field(ge=0, le=100)]
"""Of a hundred calls that bring no `traceparent`, how many are traced."""
