"""Fit one logistic head a model on recorded answers and write the artefacts that the package ships.

Needs the extra `learn` (numpy, scikit-learn). The heads are fitted together: one difficulty that
all models share and a more strongly regularised deviation a model, because routing lives on the
difference between two models and separate fits drown it in noise. Standardisation and Platt
calibration are folded into the raw weights, so that the engine only multiplies and adds.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from pointsman_operator.learn import features, recorded
from pointsman_operator.learn.columns import ALIASES, COLUMNS
from pointsman_operator.learn.shipped import MICRO

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

FOLDS: Final = 5
STRENGTH: Final = 0.05
"""Inverse L2 penalty of the shared difficulty."""

DEVIATION: Final = 0.3
"""Scale of the per-model deviations: their penalty is 1 / 0.09 times the shared one's."""

INTERCEPT: Final = 10.0
"""Scale of the per-model intercepts: hardly penalised, so that every mean is met."""

SEEN: Final = 30
"""A feature that differs from its usual value in fewer rows than this gets no weight."""

SPREAD: Final = 0.1
"""Least standard deviation to divide by: shares vary little in exam questions, and a text in
capitals must not decide by one huge weight."""

TASK_ROWS: Final = 50
"""Fewer rows than this of a task give no figure of its own."""

SOURCE: Final = "WildEval/ZeroEval 8c1485e (GSM8K, CRUXEval, MATH level 5), buckets 0-3"
LICENCE: Final = "Apache-2.0; prompts MIT"


@dataclass(frozen=True, slots=True)
class Sample:
    """Training rows: features (n, 36), outcomes and output tokens (n, models)."""

    digests: tuple[str, ...]
    tasks: tuple[str, ...]
    prompt_tokens: tuple[int, ...]
    features: Floats
    correct: Bools
    output_tokens: Ints
    upstreams: tuple[str, ...]

    def where(self, mask: Bools) -> Sample:
        """The rows of a mask."""
        keep = np.flatnonzero(mask)
        return Sample(
            digests=tuple(self.digests[row] for row in keep),
            tasks=tuple(self.tasks[row] for row in keep),
            prompt_tokens=tuple(self.prompt_tokens[row] for row in keep),
            features=self.features[keep],
            correct=self.correct[keep],
            output_tokens=self.output_tokens[keep],
            upstreams=self.upstreams,
        )


@dataclass(frozen=True, slots=True)
class Heads:
    """Raw weights (models, 36) and biases (models), calibrated.

    `unseen` are the probabilities (n, models) that each row got from heads that had not seen it.
    """

    weights: Floats
    biases: Floats
    unseen: Floats

    def probabilities(self, values: Floats) -> Floats:
        """P(good) for rows of features."""
        return _sigmoid(values @ self.weights.T + self.biases)


def fit(data: Path, out: Path) -> dict[str, Any]:
    """Read `data` (the folder of `zeroeval_*.csv.gz`), write `models.json` and `rows.json.gz`.

    Returns the models' document. Raises FileNotFoundError where a file is missing.
    """
    sample = sample_of(recorded.read(data))
    heads = fit_heads(sample)
    rows = row_document(sample, heads)
    packed = json.dumps(rows, separators=(",", ":")).encode()
    models = model_document(sample, heads, hashlib.sha256(packed).hexdigest())
    models |= {alias: models[upstream] for alias, upstream in ALIASES.items()}
    out.mkdir(parents=True, exist_ok=True)
    (out / "rows.json.gz").write_bytes(gzip.compress(packed, 9, mtime=0))
    text = json.dumps(models, indent=1, sort_keys=True)
    (out / "models.json").write_text(_lists_on_one_line(text) + "\n", encoding="utf-8")
    return models


def sample_of(questions: Sequence[recorded.Question]) -> Sample:
    """The questions of the training buckets only: the demo's are never read here."""
    digests = [recorded.prompt_hash(question.prompt) for question in questions]
    kept = [
        (question, digest)
        for question, digest in zip(questions, digests, strict=True)
        if recorded.bucket(digest) in recorded.TRAINING
    ]
    columns = list(COLUMNS.values())
    inputs = [features.from_text(question.prompt) for question, _ in kept]
    correct = [[question.correct[column] for column in columns] for question, _ in kept]
    chars = np.array([[question.chars[column] for column in columns] for question, _ in kept])
    return Sample(
        digests=tuple(digest for _, digest in kept),
        tasks=tuple(features.task_of(features.survey_of(request)) for request in inputs),
        prompt_tokens=tuple(request.prompt_tokens for request in inputs),
        features=np.array([features.extract(request) for request in inputs]),
        correct=np.array(correct),
        output_tokens=-(-chars // 4),
        upstreams=tuple(COLUMNS),
    )


def folds_of(digests: Sequence[str]) -> Ints:
    """A fold a row, from its prompt's hash: the same rows fall together on every machine."""
    return np.array([int(digest, 16) // 10 % FOLDS for digest in digests])


def fit_heads(sample: Sample) -> Heads:
    """Fit on all rows; calibrate on what each fifth gets from the other four."""
    folds = folds_of(sample.digests)
    logits = np.zeros(sample.correct.shape)
    for fold in range(FOLDS):
        held = folds == fold
        weights, biases = _fit_raw(sample.where(~held))
        logits[held] = sample.features[held] @ weights.T + biases
    platt = LogisticRegression(C=1e3).fit(logits.reshape(-1, 1), sample.correct.ravel())
    slope, shift = float(platt.coef_[0, 0]), float(platt.intercept_[0])
    weights, biases = _fit_raw(sample)
    return Heads(slope * weights, slope * biases + shift, _sigmoid(slope * logits + shift))


def model_document(sample: Sample, heads: Heads, rows_digest: str) -> dict[str, Any]:
    """`models.json`: head, quality, expected lengths and provenance by upstream id."""
    document = {}
    for index, upstream in enumerate(sample.upstreams):
        bias = round(float(heads.biases[index]) * MICRO)
        weights = [round(float(weight) * MICRO) for weight in heads.weights[index]]
        identity = json.dumps({"bias": bias, "weights": weights}, separators=(",", ":"))
        digest = "sha256:" + hashlib.sha256(identity.encode()).hexdigest()
        percent = sample.correct[:, index].astype(np.float64) * 100
        lengths = sample.output_tokens[:, index].astype(np.float64)
        unseen, correct = heads.unseen[:, index], sample.correct[:, index]
        document[upstream] = {
            "head": {"digest": digest, "bias": bias, "weights": weights},
            "quality": {"prior": _mean(percent), "byTask": _by_task(percent, sample.tasks)},
            "outputTokens": {"default": _mean(lengths), "byTask": _by_task(lengths, sample.tasks)},
            "provenance": {
                "source": SOURCE,
                "licence": LICENCE,
                "model": upstream,
                "column": COLUMNS[upstream],
                "rows": len(sample.digests),
                "rowsDigest": f"sha256:{rows_digest}",
                "heldOut": {
                    "folds": FOLDS,
                    "auc": f"{roc_auc_score(correct, unseen):.3f}",
                    "ece": f"{calibration_error(unseen, correct):.3f}",
                },
            },
        }
    return document


def row_document(sample: Sample, heads: Heads) -> dict[str, Any]:
    """`rows.json.gz`: what `lambda0` needs of each row, and the hash that shows its origin."""
    per_mille = np.rint(heads.unseen * 1000).astype(int)
    return {
        "source": SOURCE,
        "licence": LICENCE,
        "taskNames": list(features.TASKS),
        "tasks": [features.TASKS.index(task) for task in sample.tasks],
        "promptTokens": list(sample.prompt_tokens),
        "promptHashes": list(sample.digests),
        "perMille": {
            upstream: per_mille[:, index].tolist()
            for index, upstream in enumerate(sample.upstreams)
        },
    }


def calibration_error(probabilities: Floats, correct: Bools, bins: int = 10) -> float:
    """Expected calibration error over equal-width bins."""
    slot = np.minimum((probabilities * bins).astype(int), bins - 1)
    inside = [slot == index for index in range(bins) if (slot == index).any()]
    gaps = [here.mean() * abs(probabilities[here].mean() - correct[here].mean()) for here in inside]
    return float(sum(gaps))


def _fit_raw(sample: Sample) -> tuple[Floats, Floats]:
    """Shared and per-model weights of the raw features, standardisation folded in."""
    values = sample.features
    usual = np.median(values, axis=0)
    used = (values != usual).sum(axis=0) >= SEEN
    centre = values[:, used].mean(axis=0)
    spread = np.maximum(values[:, used].std(axis=0), SPREAD)
    scaled = (values[:, used] - centre) / spread
    count, models = len(scaled), sample.correct.shape[1]
    design = sparse.hstack(
        [
            sparse.csr_matrix(np.tile(scaled, (models, 1))),
            sparse.block_diag([DEVIATION * scaled] * models),
            sparse.block_diag([np.full((count, 1), INTERCEPT)] * models),
        ]
    ).tocsr()
    solver = LogisticRegression(C=STRENGTH, max_iter=5000, fit_intercept=False, tol=1e-6)
    found = solver.fit(design, sample.correct.T.ravel()).coef_[0]
    width = scaled.shape[1]
    shared, rest = found[:width], found[width:]
    deviations = rest[: width * models].reshape(models, width)
    weights = np.zeros((models, values.shape[1]))
    weights[:, used] = (shared + DEVIATION * deviations) / spread
    biases = INTERCEPT * rest[width * models :] - weights[:, used] @ centre
    return weights, biases


def _sigmoid(values: Floats) -> Floats:
    return 1.0 / (1.0 + np.exp(-values))


def _mean(values: Floats) -> int:
    return round(float(values.mean()))


def _by_task(values: Floats, tasks: Sequence[str]) -> dict[str, int]:
    kinds = np.array(tasks)
    return {
        task: _mean(values[kinds == task])
        for task in features.TASKS
        if (kinds == task).sum() >= TASK_ROWS
    }


def _lists_on_one_line(text: str) -> str:
    """A head's 36 weights on one line, so that a diff shows models, not numbers."""
    parts = text.split("[\n")
    lines = [parts[0]]
    for part in parts[1:]:
        inside, _, after = part.partition("]")
        lines.append(f"[{''.join(inside.split())}]{after}")
    return "".join(lines)
