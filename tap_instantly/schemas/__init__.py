"""The JSON Schema of each stream, `<stream>.json`."""
