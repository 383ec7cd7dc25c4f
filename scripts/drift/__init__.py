"""How the tap's streams and Instantly's own description of its API differ."""
