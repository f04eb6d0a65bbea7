"""Choosing, learnt from recorded answers: features, heads, lambda and their evaluation.

`compile` imports `artefacts` and `lambda0` (standard library only); `fit` and `evaluate` need the
extra `learn` (numpy, scikit-learn) and are imported by nothing but the command line.
"""
