"""The server, and everything that may go wrong between it and a client."""
