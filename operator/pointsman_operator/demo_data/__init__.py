"""The demo's recorded questions and answers, and the arithmetic of its closing table.

The 290 questions of bucket 4 (`learn/recorded.py`): nothing in `learn/artefacts` was fitted on
them. Written by `python -m pointsman_operator.learn demo-data`; standard library only.
"""
