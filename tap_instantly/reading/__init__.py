"""The engine that reads streams; it knows nothing of Instantly's entities."""
