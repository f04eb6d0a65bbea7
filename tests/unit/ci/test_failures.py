"""What `make test` repeats of failed stages at its end, and that it shows output as it comes."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType

import pytest

CI = Path(__file__).resolve().parents[3] / ".ci"
FAILING = """\
import pytest

def test_sum():
    print("E   not a reason: it is captured")
    assert 1 + 1 == 3

@pytest.fixture
def broken():
    raise OSError("no disk")

def test_on_disk(broken):
    pass

def test_good():
    pass
"""


@pytest.fixture
def stages(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The stage runner, as its own folder's programs find each other."""
    monkeypatch.syspath_prepend(CI)
    return importlib.import_module("stages")


@pytest.mark.timeout(180)
def test_a_failed_stage_is_repeated_with_its_reasons(
    stages: ModuleType,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Which tests, what was asserted and where; nothing of those that passed."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    (tmp_path / "test_it.py").write_text(FAILING)
    command = (sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-o", "addopts=", ".")
    outcome = stages.run(stages.Stage("e2e", "it works", command, tmp_path))
    assert outcome.status == 1
    assert "test_it.py" in capfd.readouterr().out
    stages.repeat_failures([outcome])
    said = capfd.readouterr().out.splitlines()
    assert "=== e2e failed (1)" in said
    assert "FAILED test_it.py::test_sum - assert (1 + 1) == 3" in said
    assert "ERROR test_it.py::test_on_disk - OSError: no disk" in said
    assert "E       assert (1 + 1) == 3" in said
    assert "test_it.py:5: AssertionError" in said
    assert "E       OSError: no disk" in said
    assert not any("not a reason" in line or "test_good" in line for line in said)


def test_what_passed_is_not_repeated(
    stages: ModuleType, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Its output is shown once, as it came."""
    command = (sys.executable, "-c", "print('fine')")
    outcome = stages.run(stages.Stage("ruff", "it is clean", command, tmp_path))
    stages.repeat_failures([outcome])
    assert capfd.readouterr().out == "--- ruff: it is clean\nfine\n"


def test_a_log_s_end_holds_many_failures_and_the_end_of_any_other_program(
    stages: ModuleType,
) -> None:
    """Bounded: twenty lines of summary, five reasons; of what is not pytest the last lines."""
    blocks = [
        line
        for number in range(40)
        for line in (
            f"\x1b[31m______ test_{number} ______\x1b[0m",
            *(f"E   line {at} of {number}" for at in range(60)),
        )
    ]
    output = ["=== FAILURES ===", *blocks, "=== short test summary info ==="]
    output += [f"FAILED a.py::test_{number} - boom" for number in range(40)]
    told = stages.told("\n".join([*output, "=== 40 failed in 1s ==="]))
    assert len(told) < 110
    assert told[19:21] == ["FAILED a.py::test_19 - boom", "… and 20 more"]
    assert "E   line 59 of 4" in told
    assert "--- test_5" not in told
    other = stages.told("\n".join(f"error {number}" for number in range(100)))
    assert (other[0], other[-1], len(other)) == ("error 75", "error 99", 25)
