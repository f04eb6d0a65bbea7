"""Pointsman's control plane: resources in, route tables out, money and decisions accounted."""

__version__ = "0.1.0"
