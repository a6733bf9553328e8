"""Figures and pages made of a run folder."""
