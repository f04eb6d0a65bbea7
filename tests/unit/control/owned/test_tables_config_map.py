"""The ConfigMap of a namespace: its bytes, its bound, what is read back."""

from __future__ import annotations

import base64
import gzip
import json

from pointsman_operator.compile import digest
from pointsman_operator.owned.tables_config_map import (
    Entry,
    read_entry,
    size,
    tables_config_map,
)

TABLE = b'{"policy":{"name":"a","namespace":"demo"}}'
FENCE = {"installation": "i", "transitions": 1, "boot": "b"}
TARGET = {"labels": {"app": "a"}, "order": [0, "2026", "a"]}


def entry(table: bytes = TABLE) -> Entry:
    """A policy's published table."""
    return Entry("a", digest(table), FENCE, TARGET, table)


def test_entries_are_as_the_contract_says() -> None:
    """Gzip of an envelope whose table is gzip in base64; equal entries are equal bytes."""
    value = entry().packed()
    held = json.loads(gzip.decompress(base64.b64decode(value)))
    assert set(held) == {"digest", "fence", "target", "table"}
    assert gzip.decompress(base64.b64decode(held["table"])) == TABLE
    assert held["digest"] == digest(TABLE)
    assert entry().packed() == value


def test_what_was_written_is_read() -> None:
    """Digest, fence and target come back."""
    found = read_entry(entry().packed())
    assert found is not None
    assert (found.digest, found.fence, found.target) == (digest(TABLE), FENCE, TARGET)


def test_an_entry_that_was_tampered_with_is_none() -> None:
    """Another table under the same digest, half an entry, or nonsense."""
    forged = Entry("a", digest(TABLE), FENCE, TARGET, b"{}").packed()
    assert read_entry(forged) is None
    for value in ("", "AAAA", "!!", entry().packed()[:40]):
        assert read_entry(value) is None


def test_size_counts_what_is_stored() -> None:
    """Keys, the bundle and the decoded bytes of entries."""
    value = entry().packed()
    made = tables_config_map("demo", "uid", "PEM", {"a": value})
    stored = len(base64.b64decode(value))
    assert size(made) == stored + len("a.json.gz") + len("ca.crt") + len("PEM")
    labels = made["metadata"]["labels"]
    assert labels["app.kubernetes.io/managed-by"] == "pointsman"
    assert labels["pointsman.dev/installation"] == "uid"
