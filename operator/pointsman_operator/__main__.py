"""`python -m pointsman_operator ROLE …`: what the operator's image runs; one image, three roles.

And two errands of the chart: `cleanup` after an uninstallation, `trial` for `helm test`.
Exit status 64 without a role; else the role's own.
"""

from __future__ import annotations

import runpy
import sys

ROLES = {
    "controller": "controller",
    "injector": "injector",
    "hub": "hub",
    "cleanup": "controller.cleanup",
    "trial": "injector.trial",
}
"""What the first argument may be -> the module; the last two end by themselves."""
EXIT_USAGE = 64


def main() -> int:
    """Become the role that the first argument names."""
    role = sys.argv[1] if len(sys.argv) > 1 else ""
    if role not in ROLES:
        sys.stderr.write(f"usage: python -m pointsman_operator {'|'.join(ROLES)} [--help]\n")
        return EXIT_USAGE
    del sys.argv[1]
    # Only the chosen role's packages are imported: the injector needs no ledger.
    runpy.run_module(f"pointsman_operator.{ROLES[role]}", run_name="__main__", alter_sys=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
