"""I6: every bound stands in one of the files that hold nothing else, with its name and reason."""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterator
from pathlib import Path

from support.tree import ROOT, shown, tracked

CORE = "sidecar/engine/core/src/"
ENGINE_HOMES = (
    f"{CORE}limits.rs",
    *(f"{CORE}limits/{name}.rs" for name in ("attempts", "health", "media", "money", "quota")),
)
HOMES = {
    *ENGINE_HOMES,
    "sidecar/pointsman_sidecar/limits.py",
    "operator/pointsman_operator/api/bounds.py",
    "operator/pointsman_operator/controller/limits.py",
    "operator/pointsman_operator/hub/limits.py",
    "operator/pointsman_operator/hub/engines/limits.py",
    "operator/pointsman_operator/inject/limits.py",
    "operator/pointsman_operator/injector/limits.py",
    "operator/pointsman_operator/kube/limits.py",
    "operator/pointsman_operator/ledger/limits.py",
}
# What runs for long or reads what strangers wrote; the CLI's numbers bound nobody.
SERVING = (
    *(
        f"operator/pointsman_operator/{name}"
        for name in (
            *("api", "compile", "controller", "hub", "inject", "injector", "kube", "ledger"),
        )
    ),
    "sidecar/pointsman_sidecar",
)
# Numbers of a format, a standard, an estimate, an algorithm: another would be wrong, not larger.
FACTS = {
    "admission/api_key.rs": {"ID_BYTES", "SECRET_BYTES", "CHECKSUM_BYTES"},
    "admission/pace.rs": {"MINUTE_US"},
    "budget/tally.rs": {"FEW_ROWS"},
    "call/mod.rs": {"ID_DIGITS"},
    "choose.rs": {"BYTES_PER_TOKEN", "TOKENS_PER_MESSAGE", "TOKENS_PER_IMAGE"},
    "detect/card.rs": {"LEAST", "FIRST_GROUP", "MOST", "GROUPS", "GROUP_MOST"},
    "detect/email.rs": {"DOMAIN_BYTES"},
    "detect/mod.rs": {"IBANS", "ONES", "HIGHS"},
    "features.rs": {"SURFACE", "PAIR", "CODE_MARKS", "CHAT_WORDS"},
    "features/lexicon.rs": {"*"},
    "features/survey.rs": {"*"},
    "fleet/ewma.rs": {"WEIGHT"},
    "headers.rs": {"VALUE_BYTES"},
    "journal/layout.rs": {"*"},
    "price.rs": {"USD"},
    "media/form.rs": {"WAV_HEAD"},
    "quota/share.rs": {"MINUTE_US", "MICRO"},
    "scan/keep.rs": {"SIDE_BYTES", "TAIL_BYTES", "FIRST_BYTES"},
    "scan/word.rs": {"WORD_BYTES"},
    "scan/number.rs": {"FIRST_LARGE_EXPONENT"},
    "scan/place.rs": {"COUNT"},
    "scan/text.rs": {"ONES", "HIGHS"},
    "score.rs": {"MICRO"},
    "select.rs": {"PICO_PER_DOLLAR"},
    "span.rs": {"REMOTE_KNOWN", "REMOTE", "STATUS_ERROR"},
    "table.rs": {"READER_VERSION"},
    "tls/kept.rs": {"TMPFS"},
    "trace.rs": {"KNOWN_FLAGS", "SAMPLED"},
    "usage.rs": {"START", "RANGE", "LEAST_BYTES"},
    "wire/cursor.rs": {"SHORT"},
    "api/money.py": {
        *("PICODOLLARS_PER_USD", "TOKENS_PER_MTOK", "SECONDS_PER_HOUR", "SECONDS_PER_MINUTE"),
    },
    "compile/resolve.py": {"TYPICAL_ANSWER_TOKENS", "TYPICAL_MEDIA_TOKENS"},
    "controller/__main__.py": {
        *("EXIT_USAGE", "EXIT_UNAVAILABLE", "EXIT_DEFECT", "EXIT_REPLACED"),
    },
    "controller/cleanup.py": {"EXIT_USAGE", "EXIT_UNAVAILABLE", "EXIT_AGAIN"},
    "controller/settings.py": {"PORT_MAX"},
    "hub/__main__.py": {"EXIT_USAGE", "EXIT_UNAVAILABLE"},
    "engines/endpoint.py": {"MS"},
    "engines/exposition.py": {"SHARE_MOST"},
    "engines/figures.py": {"PICO_PER_DOLLAR"},
    "hub/gate.py": {"TOKEN_BYTES"},
    "hub/metrics.py": {"PICO_PER_DOLLAR"},
    "hub/settings.py": {"PORT_MAX"},
    "inject/names.py": {"USER_ID"},
    "injector/__main__.py": {"EXIT_USAGE", "EXIT_UNAVAILABLE"},
    "injector/settings.py": {"PORT_MAX"},
    "kube/api.py": {"NOT_FOUND", "CONFLICT", "TOO_MANY", "UNREACHABLE"},
    "kube/hub.py": {"NOT_FOUND", "CONFLICT"},
    "kube/endpoints.py": {"NOT_FOUND"},
    "kube/watch.py": {"GONE"},
    "ledger/postgresql.py": {"LOCK"},
    "ledger/schema.py": {"SCHEMA_VERSION"},
    "ledger/spend.py": {"MINUTE_MS", "HOUR_MS", "PICO_PER_MICRO", "COLUMN_MAX"},
    "ledger/sqlite.py": {"_MARK_DIGITS"},
}
RUST_CONST = re.compile(r"\bconst ([A-Z][A-Z0-9_]*): ([^=;]+?) = ([^;]*);")
RUST_NUMBER = re.compile(r"\b(?:[ui](?:8|16|32|64|128|size)|f32|f64|Duration)\b")
RUST_TEXT = re.compile(r'"[^"]*"|\'[^\']*\'')
RUST_WAIT = re.compile(r"Duration::from_\w+\(\s*[\d_.]+\s*\)|\.listen\([\d_]+\)")
BOUND = re.compile(r"^(?:pub const )?([A-Z][A-Z0-9_]+)\b[^=\n]*= ", re.MULTILINE)
BOUNDING = {"max_length", "maxsize", "maxlen", "timeout", "backlog", "max_size", "limit"}


def rust_bounds() -> Iterator[tuple[str, str]]:
    """Numeric constants, waits and queue lengths of the engine, outside its tests and texts."""
    for path in tracked(f"{CORE}*.rs"):
        if path.name == "tests.rs" or shown(path) in HOMES:
            continue
        code = path.read_text().partition("#[cfg(test)]")[0]
        name = shown(path).removeprefix(CORE)
        for const, kind, value in RUST_CONST.findall(code):
            if RUST_NUMBER.search(kind) and re.search(r"(?<!\w)\d", RUST_TEXT.sub("", value)):
                yield name, const
        for wait in RUST_WAIT.findall(code):
            yield name, wait


def python_bounds() -> Iterator[tuple[str, str]]:
    """Numeric constants and bounding keywords with a number, where requests are served."""
    for folder in SERVING:
        for path in tracked(f"{folder}/*.py"):
            if shown(path) in HOMES:
                continue
            tree = ast.parse(path.read_text())
            name = "/".join(path.parts[-2:])
            for statement in tree.body:
                if isinstance(statement, ast.Assign) and _is_number(statement.value):
                    yield name, ast.unparse(statement.targets[0])
            for node in ast.walk(tree):
                if not isinstance(node, ast.keyword) or node.arg not in BOUNDING:
                    continue
                if _is_number(node.value):
                    yield name, f"{node.arg}={ast.unparse(node.value)}"


def test_i6_every_bound_has_its_place_and_its_name() -> None:
    """A number that bounds something stands among the bounds, or is listed here as a fact."""
    found = [*rust_bounds(), *python_bounds()]
    strangers = [
        (name, bound) for name, bound in found if not {bound, "*"} & FACTS.get(name, set())
    ]
    assert strangers == []
    listed = {(name, fact) for name, facts in FACTS.items() for fact in facts if fact != "*"}
    assert listed - set(found) == set(), "a fact that is gone must leave the list"


def test_i6_every_bound_says_why_it_is_so_large() -> None:
    """Each of the engine's bounds has a sentence of its own."""
    bare = [
        line
        for home in ENGINE_HOMES
        for before, line in itertools.pairwise((ROOT / home).read_text().splitlines())
        if line.startswith("pub const") and not before.startswith("///")
    ]
    assert bare == []


def test_i6_every_bound_bounds_something() -> None:
    """A bound that nothing reads is a promise that nobody keeps."""
    unused = []
    for home in sorted(HOMES):
        path = ROOT / home
        others = _code_beside(path)
        own = path.read_text()
        names = BOUND.findall(own)
        assert names, home
        unused += [
            f"{home}: {name}"
            for name in names
            if not re.search(rf"\b{name}\b", others) and len(re.findall(rf"\b{name}\b", own)) == 1
        ]
    assert unused == []


def _code_beside(path: Path) -> str:
    package = shown(path).split("/")
    root = "/".join(package[:4] if path.suffix == ".rs" else package[:2])
    files = tracked(f"{root}/*{path.suffix}", "sidecar/engine/py/src/*.rs")
    return "\n".join(other.read_text() for other in files if other != path)


def _is_number(node: ast.expr) -> bool:
    if isinstance(node, ast.UnaryOp):
        return _is_number(node.operand)
    if isinstance(node, ast.BinOp):
        return _is_number(node.left) and _is_number(node.right)
    if not isinstance(node, ast.Constant) or isinstance(node.value, bool):
        return False
    return isinstance(node.value, int | float)
