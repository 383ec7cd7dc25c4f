"""Writes the parts of README and docs that follow from the code."""
