"""`python -m pointsman_operator.generate --mode write|check`: every generated file of the checkout.

`check` prints a diff and the command to run, and exits 1 where a file is not what it should be.
"""

from __future__ import annotations

import argparse
import difflib
import sys
from pathlib import Path

from pointsman_operator.generate.alerts import alerts_text
from pointsman_operator.generate.catalogue import catalogue_text
from pointsman_operator.generate.chart import chart_files
from pointsman_operator.generate.conditions import conditions_text
from pointsman_operator.generate.crds import crd_files
from pointsman_operator.generate.dashboard import dashboard_text
from pointsman_operator.generate.reference import reference_files
from pointsman_operator.generate.tables import table_schema_text

COMMAND = "make gen"
SHOWN_LINES = 60
"""Lines of a diff that are printed a file."""


def main(arguments: list[str] | None = None) -> int:
    """Write or check; 0: all as it should be, 1: something differs."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--mode", choices=("write", "check"), required=True)
    parser.add_argument("--root", type=Path, default=checkout())
    options = parser.parse_args(arguments)
    wanted = generated()
    if options.mode == "write":
        for name, text in wanted.items():
            path = options.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
        return 0
    differing = [
        name for name, text in wanted.items() if not _same(options.root / name, name, text)
    ]
    if differing:
        print(f"{len(differing)} generated files differ. Run: {COMMAND}", file=sys.stderr)  # noqa: T201
    return 1 if differing else 0


def generated() -> dict[str, str]:
    """Path from the checkout's root -> text, of every generated file."""
    package = "operator/pointsman_operator"
    return {
        **{f"crds/{name}": text for name, text in crd_files().items()},
        **{f"charts/pointsman/templates/{name}": text for name, text in chart_files().items()},
        "charts/pointsman/files/dashboard.json": dashboard_text(),
        "charts/pointsman/files/rules.json": alerts_text(),
        **reference_files(),
        "docs/reference/conditions.md": conditions_text(),
        "crds/routetable.schema.json": table_schema_text(),
        f"{package}/catalog/catalogue.json": catalogue_text(),
    }


def checkout() -> Path:
    """The root of the checkout that this package is installed from."""
    return Path(__file__).resolve().parents[3]


def _same(path: Path, name: str, wanted: str) -> bool:
    found = path.read_text("utf-8") if path.is_file() else ""
    if found == wanted:
        return True
    diff = difflib.unified_diff(
        found.splitlines(), wanted.splitlines(), name, f"{name} (generated)", lineterm="", n=1
    )
    print("\n".join(list(diff)[:SHOWN_LINES]), file=sys.stderr)  # noqa: T201
    return False


if __name__ == "__main__":
    sys.exit(main())
