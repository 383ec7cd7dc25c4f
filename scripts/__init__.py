"""Tools around the tap, none of which it needs itself."""
