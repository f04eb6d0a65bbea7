"""`python -m pointsman_operator.cli`."""

from __future__ import annotations

from pointsman_operator.cli.application import main

if __name__ == "__main__":
    main()
