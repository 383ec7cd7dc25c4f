"""Tests of tap-instantly, from the outside."""
