"""Runs a command, and ends all of its processes when the one that started it is gone, however that ended.

A file of its own, run by path: it needs nothing of the package, and costs a trial no imports.
"""

import os
import signal
import subprocess
import sys
import threading


def hold(command: list[str]) -> int:
    """Run a command as a part of this process group, which must be its own.

    SIGTERM and SIGINT are passed on to the command. Standard input must be a pipe whose other end the starter keeps
    open: when it closes, the whole group is killed.

    Returns:
        The exit code of the command; 128 + n where signal n ended it.
    """
    asked: list[int] = []
    child: subprocess.Popen[bytes] | None = None

    def pass_on(number: int, frame: object) -> None:
        asked.append(number)
        if child is not None:
            child.send_signal(number)

    for listened in (signal.SIGTERM, signal.SIGINT):
        signal.signal(listened, pass_on)
    threading.Thread(target=_kill_with_starter, daemon=True).start()
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    for number in asked:
        child.send_signal(number)
    code = child.wait()
    return code if code >= 0 else 128 - code


def _kill_with_starter() -> None:
    while os.read(0, 1024):
        pass
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(hold(sys.argv[1:]))
