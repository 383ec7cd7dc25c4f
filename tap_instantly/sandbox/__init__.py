"""An imitation of the Instantly API v2 that runs on one's own machine.

It needs no account and no network: its rows are invented, and everything that the
real API may do to a client can be switched on.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tap_instantly.sandbox.http.server import Sandbox

__all__ = ["Sandbox"]


def __getattr__(name: str) -> object:
    """Import `Sandbox` on demand, so that the CLI starts without aiohttp."""
    if name == "Sandbox":
        from tap_instantly.sandbox.http.server import Sandbox  # noqa: PLC0415 (slow)

        return Sandbox
    message = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(message)
