"""The command, and `python -m tap_instantly`."""

import signal


def main() -> None:
    """Run the tap."""
    # Until the tap takes over, Ctrl-C would end it with a traceback.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from tap_instantly.tap import TapInstantly  # noqa: PLC0415 (it takes its time)

    TapInstantly.cli()


if __name__ == "__main__":
    main()
