"""Lets `python -m tap_instantly` run the tap."""

from tap_instantly.tap import TapInstantly

TapInstantly.cli()
