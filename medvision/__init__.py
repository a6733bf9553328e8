"""Honest experiments on 2D medical images."""
