"""The tap measured beside others: `python -m benchmarks`."""
