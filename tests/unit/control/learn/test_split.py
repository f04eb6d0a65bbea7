"""Nothing was fitted on the demo's questions."""

from __future__ import annotations

import gzip
import hashlib

from pointsman_operator.demo_data import questions
from pointsman_operator.learn import recorded, shipped


def test_training_and_demo_rows_are_disjoint() -> None:
    """Both artefacts, really read: no demo prompt was fitted on, each set has its own buckets."""
    trained = shipped.row_document()["promptHashes"]
    shown = [recorded.prompt_hash(question.prompt) for question in questions.load()]
    assert len(trained) > 1000
    assert len(shown) == 290
    assert set(trained) & set(shown) == set()
    assert {recorded.bucket(digest) for digest in trained} == recorded.TRAINING
    assert {recorded.bucket(digest) for digest in shown} == {recorded.DEMO}


def test_every_head_comes_from_these_rows() -> None:
    """The heads name the very rows file that lies beside them, and its number of rows."""
    packed = (shipped.FOLDER / "rows.json.gz").read_bytes()
    digest = "sha256:" + hashlib.sha256(gzip.decompress(packed)).hexdigest()
    for entry in shipped.models().values():
        assert entry["provenance"]["rowsDigest"] == digest
        assert entry["provenance"]["rows"] == len(shipped.rows().tasks)


def test_the_split_is_the_documented_one() -> None:
    """Case, punctuation and white space do not move a prompt to another bucket."""
    plain = recorded.prompt_hash("what is 2 2")
    assert recorded.prompt_hash("  What is\n2+2?") == plain
    assert plain == hashlib.sha256(b"what is 2 2").hexdigest()
    assert recorded.bucket(plain) == int(plain, 16) % 10
