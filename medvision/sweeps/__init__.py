"""Sweeps without a server: W&B's sweep files, run with Optuna on one machine or many."""
