"""What reading and writing share: the HTTP side of the Instantly API."""
