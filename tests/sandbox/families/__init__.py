"""Tests of what the sandbox says, family by family."""
