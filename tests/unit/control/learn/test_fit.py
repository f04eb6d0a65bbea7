"""Fitting reads the training buckets alone, and folds everything into integer weights."""

from __future__ import annotations

import csv
import gzip
import json
import random
from pathlib import Path

import numpy as np
import pytest

from pointsman_operator.learn import __main__ as command
from pointsman_operator.learn import evaluate, features, fit, heads, recorded
from pointsman_operator.learn.columns import COLUMNS

WORDS = ["apples", "boxes", "trains", "hours", "miles", "coins", "books", "people"]


def write_record(folder: Path, *, demo_answer: str) -> None:
    """A made-up record: long questions are hard, and weaker models fail sooner."""
    draw = random.Random(5)
    tables: dict[str, list[list[str]]] = {name: [] for name in ("correct", "out_chars", "answer")}
    prompts = [["id", "task", "prompt", "gold"]]
    for number in range(500):
        length = draw.randrange(4, 60)
        text = " ".join(draw.choice(WORDS) for _ in range(length))
        text = f"{number} {text}: how many {draw.randrange(100)}?"
        demo = recorded.bucket(recorded.prompt_hash(text)) == recorded.DEMO
        prompts.append([f"q-{number}", "gsm", text, "1"])
        right = [
            demo_answer if demo else str(int(draw.random() < 1.1 - length / (120 - 5 * place)))
            for place in range(len(COLUMNS))
        ]
        tables["correct"].append([f"q-{number}", *right])
        tables["out_chars"].append([f"q-{number}", *(["400"] * len(COLUMNS))])
        tables["answer"].append([f"q-{number}", *(["1"] * len(COLUMNS))])
    write(folder / "zeroeval_prompts.csv.gz", prompts)
    for name, rows in tables.items():
        write(folder / f"zeroeval_{name}.csv.gz", [["id", *COLUMNS.values()], *rows])


def write(path: Path, rows: list[list[str]]) -> None:
    """One gzip CSV."""
    with gzip.open(path, "wt", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A record in which the demo's bucket has only right answers."""
    folder = tmp_path_factory.mktemp("record")
    write_record(folder, demo_answer="1")
    return folder


def test_the_demo_bucket_never_shapes_a_head(record: Path, tmp_path: Path) -> None:
    """Turning every answer of bucket 4 round changes no byte of the artefacts."""
    other = tmp_path / "other"
    other.mkdir()
    write_record(other, demo_answer="0")
    fit.fit(record, tmp_path / "a")
    fit.fit(other, tmp_path / "b")
    for name in ("models.json", "rows.json.gz"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_written_integers_score_as_the_fitted_floats(record: Path, tmp_path: Path) -> None:
    """Standardisation and calibration are folded in: raw features times micro weights suffice."""
    sample = fit.sample_of(recorded.read(record))
    fitted = fit.fit_heads(sample)
    document = fit.fit(record, tmp_path)
    expected = fitted.probabilities(sample.features)
    for index, upstream in enumerate(sample.upstreams):
        for row in range(0, len(sample.digests), 50):
            found = heads.probability(document[upstream]["head"], sample.features[row].tolist())
            assert found == pytest.approx(float(expected[row, index]), abs=1e-4)


def test_heads_learn_what_there_is_to_learn(record: Path) -> None:
    """Long questions get a lower P; unseen rows are calibrated; rare features weigh nothing."""
    sample = fit.sample_of(recorded.read(record))
    fitted = fit.fit_heads(sample)
    length = features.NAMES.index("ln_words")
    short, long = (
        sample.features[:, length] < np.quantile(sample.features[:, length], share)
        for share in (0.2, 0.8)
    )
    assert fitted.unseen[short].mean() > fitted.unseen[~long].mean() + 0.3
    assert fit.calibration_error(fitted.unseen.ravel(), sample.correct.ravel()) < 0.05
    assert not fitted.weights[:, features.NAMES.index("ln_images")].any()


def test_calibration_error_is_the_mean_gap() -> None:
    """Sure and wrong: 1; fifty-fifty on a coin: 0."""
    assert fit.calibration_error(np.array([1.0, 1.0]), np.array([False, False])) == 1.0
    assert fit.calibration_error(np.array([0.5, 0.5]), np.array([True, False])) == 0.0


@pytest.mark.slow
def test_evaluation_shows_the_zero_router_beside_us(record: Path) -> None:
    """Each target has the four lines; a higher target reaches more and pays more."""
    low, high = evaluate.evaluate(record, targets=(60, 100))
    assert [line.name for line in low.lines][-1] == "Pointsman"
    assert low.reached_percent < high.reached_percent
    assert low.cost_percent < high.cost_percent
    assert low.zero_cost_percent > 0


def test_the_command_writes_what_the_functions_do(
    record: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`python -m pointsman_operator.learn fit` and `demo-data` write and report."""
    assert command.main(["fit", "--data", str(record), "--out", str(tmp_path)]) == 0
    assert len(json.loads((tmp_path / "models.json").read_text())) > len(COLUMNS)
    assert command.main(["demo-data", "--data", str(record), "--out", str(tmp_path)]) == 0
    assert (tmp_path / "questions.json.gz").is_file()
    report = capsys.readouterr().out
    assert "AUC" in report
    assert "questions" in report


def test_a_missing_record_is_said_not_skipped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without its files the command fails and names the first one."""
    assert command.main(["fit", "--data", str(tmp_path), "--out", str(tmp_path)]) == 2
    assert "zeroeval_prompts.csv.gz: no such file" in capsys.readouterr().err


def test_files_that_disagree_are_refused(record: Path, tmp_path: Path) -> None:
    """A record whose tables have different rows is an error, not a shorter record."""
    for path in record.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    write(tmp_path / "zeroeval_correct.csv.gz", [["id", "x"], ["q-0", "1"]])
    with pytest.raises(ValueError, match="different rows"):
        recorded.read(tmp_path)
