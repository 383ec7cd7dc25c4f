"""Addresses of the API."""

from __future__ import annotations

import re
from ipaddress import ip_address

URL = re.compile(
    r"(?P<scheme>https?)://"
    r"(?P<host>\[[0-9a-f:.]+\]|(?!-)[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63})*)"
    r"(?::(?P<port>\d{1,5}))?"
    r"(?:/[\w.~%/-]*)?",
    re.ASCII | re.IGNORECASE,
)


def is_loopback(url: str) -> bool:
    """Tell whether an address is on this machine itself."""
    match = URL.fullmatch(url)
    host = match["host"].strip("[]").lower() if match else ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
