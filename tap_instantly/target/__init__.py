"""target-instantly: what the warehouse decides, written to Instantly."""
