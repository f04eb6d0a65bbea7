"""Writers of every generated file, with a check mode: `python -m pointsman_operator.generate`."""
