"""The command, and `python -m tap_instantly`."""

import gc
import os
import signal

SIGNALS = (signal.SIGINT, signal.SIGTERM)


def main() -> None:
    """Run the tap."""
    for number in SIGNALS:  # until the tap takes over, there is no state to write
        signal.signal(number, lambda signum, _: os._exit(128 + signum))
    gc.disable()  # nothing that is imported is garbage; to look takes a third longer
    from tap_instantly.tap import TapInstantly  # noqa: PLC0415 (it takes its time)

    gc.freeze()
    gc.enable()
    try:
        TapInstantly.cli()
    finally:
        for number in SIGNALS:  # nor is there anything left to do
            signal.signal(number, lambda *_: None)


if __name__ == "__main__":
    main()
