"""Attention: a second, small API on the same engine; its labels, read and written."""
