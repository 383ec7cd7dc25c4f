"""The commands that read, and `python -m tap_instantly`."""

import gc
import os
import signal
import sys
from collections.abc import Callable

SIGNALS = (signal.SIGINT, signal.SIGTERM)

MANY_OBJECTS = 100_000
"""How many objects come about before Python looks for garbage.

A page has thousands, which are let go without that; to look at each takes as long as
all else that is done with a page.
"""

WHOLE_PAGE = 0.05
"""Seconds that a thread may work before another may: about what a large page takes.

So few pages are in memory as objects at a time, rather than as text.
"""


def main() -> None:
    """Run the tap."""

    def load() -> Callable[[], object]:
        from tap_instantly.tap import TapInstantly  # noqa: PLC0415 (it takes its time)

        return TapInstantly.cli

    run(load)


def source() -> None:
    """Run the tap behind Airbyte's protocol."""

    def load() -> Callable[[], object]:
        try:
            from tap_instantly import airbyte  # noqa: PLC0415 (it takes its time)
        except ModuleNotFoundError as error:
            if error.name != "airbyte_protocol_dataclasses":
                raise
            sys.exit("source-instantly needs: pip install 'tap-instantly[airbyte]'")
        return airbyte.main

    run(load)


def run(load: Callable[[], Callable[[], object]]) -> None:
    """Run a command.

    Args:
        load: Imports it.
    """
    for number in SIGNALS:  # until the tap takes over, there is no state to write
        signal.signal(number, lambda signum, _: os._exit(128 + signum))
    gc.disable()  # nothing that is imported is garbage, and to look for it takes long
    command = load()
    gc.freeze()
    gc.set_threshold(MANY_OBJECTS)
    gc.enable()
    sys.setswitchinterval(WHOLE_PAGE)
    try:
        command()
    finally:
        for number in SIGNALS:  # nor is there anything left to do
            signal.signal(number, lambda *_: None)


if __name__ == "__main__":
    main()
