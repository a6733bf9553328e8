"""Simulated ultrasound images and radiographs: for demonstrations and tests, never for findings."""
