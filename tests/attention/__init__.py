"""Tests of tap-attention and target-attention, from the outside."""
