"""The learnt artefacts that the package carries: heads, priors, expected lengths, rows for lambda.

`compile` reads them by upstream model id; `fit` writes them. Standard library only.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

FOLDER: Final = files("pointsman_operator.learn") / "artefacts"
"""Where `models.json`, `rows.json.gz` and `demo_models.json` lie."""

MICRO: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Artefact:
    """What is known of one model; the three mappings have the shape of the RouteTable's members.

    `model` names the model itself where the upstream id is another name of it.
    """

    model: str
    head: Mapping[str, Any]
    quality: Mapping[str, Any]
    output_tokens: Mapping[str, Any]
    provenance: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Rows:
    """Shipped questions, for expectations over them; sequences of equal length.

    `probabilities` has micro-P(good) by upstream id, each from a head that had not seen the row.
    """

    tasks: tuple[str, ...]
    prompt_tokens: tuple[int, ...]
    probabilities: Mapping[str, tuple[int, ...]]


def artefact(upstream: str) -> Artefact | None:
    """What is shipped for this upstream model id; other names of a model have entries too."""
    entry = models().get(upstream)
    if entry is None:
        return None
    return Artefact(
        model=entry["provenance"]["model"],
        head=entry["head"],
        quality=entry["quality"],
        output_tokens=entry["outputTokens"],
        provenance=entry["provenance"],
    )


def model_of_head(digest: str) -> str | None:
    """The model that a table's head was fitted for; the key of `Rows.probabilities`."""
    return _by_digest().get(digest)


@cache
def _by_digest() -> Mapping[str, str]:
    entries = models().values()
    return {entry["head"]["digest"]: entry["provenance"]["model"] for entry in entries}


@cache
def models() -> Mapping[str, Mapping[str, Any]]:
    """`models.json`, by upstream model id."""
    document: dict[str, dict[str, Any]] = json.loads(
        (FOLDER / "models.json").read_text(encoding="utf-8")
    )
    return document


def demo_offers() -> list[dict[str, Any]]:
    """The demo's candidates with their prices in picodollars per token."""
    text = (FOLDER / "demo_models.json").read_text(encoding="utf-8")
    offers: list[dict[str, Any]] = json.loads(text)["models"]
    return [
        {
            **offer,
            "input": round(float(offer["inputPerMTok"]) * 1_000_000),
            "output": round(float(offer["outputPerMTok"]) * 1_000_000),
        }
        for offer in offers
    ]


@cache
def rows() -> Rows:
    """`rows.json.gz`, unpacked."""
    return unpack(row_document())


def row_document() -> dict[str, Any]:
    """`rows.json.gz` as written, with the hashes of the prompts that the heads were fitted on."""
    packed = (FOLDER / "rows.json.gz").read_bytes()
    document: dict[str, Any] = json.loads(gzip.decompress(packed))
    return document


def unpack(document: Mapping[str, Any]) -> Rows:
    """Rows from the document's form: task indices, per-mille probabilities."""
    names = document["taskNames"]
    return Rows(
        tasks=tuple(names[index] for index in document["tasks"]),
        prompt_tokens=tuple(document["promptTokens"]),
        probabilities={
            upstream: tuple(value * 1000 for value in values)
            for upstream, values in document["perMille"].items()
        },
    )
