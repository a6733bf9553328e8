"""Honest experiments on 2D medical images."""

DISTRIBUTION = "medvision-lightning"
"""The name under which the package is installed; others own `medvision` on PyPI."""
