"""Singer tap for Instantly.ai."""
