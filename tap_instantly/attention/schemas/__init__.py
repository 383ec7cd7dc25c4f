"""The JSON Schemas of Attention's streams."""
