"""Tests of target-instantly."""
