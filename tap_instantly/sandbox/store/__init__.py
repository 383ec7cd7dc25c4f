"""Rows that a workspace holds, and how a list of them is read."""
