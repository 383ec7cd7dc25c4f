"""Run a command in a process that is itself small, and say what it took.

A process begins with the peak memory of the one that started it, so this one
imports next to nothing. It writes the exit code, the seconds from start to end,
the seconds of CPU, and the peak memory as the system counts it.
"""

from __future__ import annotations

import os
import sys
import time


def main() -> None:
    """Run the command in the arguments after the descriptor to write to."""
    report, command = int(sys.argv[1]), sys.argv[2:]
    began = time.perf_counter()
    child = os.posix_spawnp(
        command[0], command, os.environ, file_actions=[(os.POSIX_SPAWN_CLOSE, report)]
    )
    os.close(1)
    _, status, usage = os.wait4(child, 0)
    wall = time.perf_counter() - began
    code = os.waitstatus_to_exitcode(status)
    cpu = usage.ru_utime + usage.ru_stime
    os.write(report, f"{code} {wall} {cpu} {usage.ru_maxrss}".encode())


if __name__ == "__main__":
    main()
