"""The HTTP side of the Instantly API, which reading and writing share."""
