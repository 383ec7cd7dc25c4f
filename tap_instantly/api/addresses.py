"""Addresses of the API, of which only those on this machine go without https."""

from __future__ import annotations

import re
from ipaddress import ip_address

HIGHEST_PORT = 65535

URL = re.compile(
    r"(?P<scheme>https?)://"
    r"(?P<host>\[[0-9a-f:.]+\]|(?!-)[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63})*)"
    r"(?::(?P<port>\d{1,5}))?"
    r"(?:/[\w.~%/-]*)?",
    re.ASCII | re.IGNORECASE,
)
"""An address without a user name, a query or a fragment."""


def is_plain(url: str) -> bool:
    """Tell whether a text is an address that leaves no doubt which host it names."""
    match = URL.fullmatch(url)
    return match is not None and int(match["port"] or 0) <= HIGHEST_PORT


def is_loopback(url: str) -> bool:
    """Tell whether an address is on this machine itself."""
    match = URL.fullmatch(url)
    host = match["host"].strip("[]").lower() if match else ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def keeps_secrets(url: str) -> bool:
    """Tell whether nobody on the way to an address can read what is sent there."""
    return url.lower().startswith("https://") or is_loopback(url)
