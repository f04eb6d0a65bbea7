"""`docs/clients.md`: what packages have beside conversations, as this run saw it."""

from __future__ import annotations

from support.clients import CLIENTS, Client
from support.clients_page import version

OPENAI, OPENAI_2, OPENAI_NODE = "openai (Python)", "openai 2 (Python)", "openai (Node)"
ANTHROPIC, GOOGLE = "anthropic (Python)", "google-genai (Python)"
_MEDIA = (
    *("transcription", "streamed_transcription", "subtitles", "translation", "speech"),
    *("image", "streamed_image", "image_edit", "image_variation"),
)
OTHERS: dict[str, dict[str, tuple[str, ...]]] = {
    "Names and vectors": {
        OPENAI: ("list", "openai-embedder", "gemini-embedder"),
        ANTHROPIC: ("list",),
        GOOGLE: ("list", "one", "openai-embedder", "gemini-embedder"),
    },
    "Sound and images": {OPENAI: _MEDIA, OPENAI_2: _MEDIA, OPENAI_NODE: _MEDIA},
    "Files, batches and what else providers keep": {
        OPENAI: ("files", "batches", "stored_responses"),
        ANTHROPIC: ("files", "batches"),
        GOOGLE: ("files", "caches"),
    },
}
"""By table and package: what there is an app for."""
TITLES = {
    "list": "list of models",
    "one": "one model",
    "openai-embedder": "vectors of OpenAI's model",
    "gemini-embedder": "vectors of Gemini's model",
    "streamed_transcription": "transcription, streamed",
    "streamed_image": "image, streamed",
    "image_edit": "image edit",
    "image_variation": "image variation",
    "stored_responses": "stored responses",
    "caches": "cached contents",
}
_BY_NAME: dict[str, Client] = {client.name: client for client in CLIENTS}
_seen: set[tuple[str, str, str]] = set()


def saw(table: str, client: str, *features: str) -> None:
    """The run saw these of a package work."""
    for feature in features:
        assert feature in OTHERS[table][client], feature
        _seen.add((table, client, feature))


def complete() -> bool:
    """Whether this run saw all of it, not a selection."""
    return _seen >= {
        (table, client, feature)
        for table, clients in OTHERS.items()
        for client, features in clients.items()
        for feature in features
    }


def tables() -> str:
    """The page's last part."""
    return "".join(f"\n## {table}\n\n{_table(table)}\n" for table in OTHERS)


def _table(table: str) -> str:
    clients = OTHERS[table]
    columns = list(dict.fromkeys(one for features in clients.values() for one in features))
    titles = [TITLES.get(column, column) for column in columns]
    lines = ["| client | " + " | ".join(titles) + " |", "|---" * (len(columns) + 1) + "|"]
    for name in clients:
        cells = ["yes" if (table, name, column) in _seen else "-" for column in columns]
        lines.append(f"| {name} {version(_BY_NAME[name])} | " + " | ".join(cells) + " |")
    return "\n".join(lines)
