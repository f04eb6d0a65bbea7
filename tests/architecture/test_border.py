"""The border to Rust is what its stub says: fourteen calls, documents across, no call a request."""

from __future__ import annotations

import ast
import subprocess
import sys

from support.tree import ROOT

STUB = ROOT / "sidecar" / "pointsman_sidecar" / "_engine.pyi"
CALLS = {
    *(
        "run",
        "load",
        "tuning",
        "fleet",
        "hearsay",
        "state",
        "explain",
        "drain_records",
        "heartbeat",
    ),
    *("certificate_request", "certificate", "admission", "tickets"),
    "__new__",
}
DOCUMENTS = {"bytes", "str", "bytes | None", "None", "Self"}


def test_the_stub_is_what_was_built() -> None:
    """Mypy's stubtest finds no difference between stub and compiled module."""
    outcome = subprocess.run(
        [
            sys.executable,
            "-m",
            "mypy.stubtest",
            "--ignore-disjoint-bases",
            "pointsman_sidecar._engine",
        ],
        cwd=ROOT / "sidecar",
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr


def test_only_documents_cross() -> None:
    """Every call takes and gives bytes or text; there is none that a request would make."""
    (engine,) = [
        node
        for node in ast.parse(STUB.read_text()).body
        if isinstance(node, ast.ClassDef) and node.name == "Engine"
    ]
    calls = [node for node in engine.body if isinstance(node, ast.FunctionDef)]
    assert {call.name for call in calls} == CALLS
    for call in calls:
        assert call.returns is not None
        assert ast.unparse(call.returns) in DOCUMENTS, call.name
        for argument in call.args.args[1:]:
            assert argument.annotation is not None
            assert ast.unparse(argument.annotation) in DOCUMENTS, call.name
