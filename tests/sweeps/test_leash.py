import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from medvision.sweeps import leash
from medvision.sweeps.lease import is_alive

# Starts a process of its own, as loaders of images do, and writes both numbers.
FAMILY = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
open(sys.argv[1] + ".part", "w").write(f"{os.getpid()} {child.pid}")
os.rename(sys.argv[1] + ".part", sys.argv[1])
time.sleep(60)
"""


def start(*command: str) -> subprocess.Popen:
    words = [sys.executable, "-P", leash.__file__, *command]
    return subprocess.Popen(words, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True)


def end(process: subprocess.Popen) -> int:
    with process.stdin:
        return process.wait(timeout=20)


def wait_for(path: Path) -> list[int]:
    until = time.monotonic() + 20
    while not path.is_file():
        assert time.monotonic() < until
        time.sleep(0.01)
    return [int(word) for word in path.read_text().split()]


def wait_until_gone(*processes: int) -> None:
    until = time.monotonic() + 20
    while any(map(is_alive, processes)):
        assert time.monotonic() < until
        time.sleep(0.01)


@pytest.mark.parametrize(("code", "expected"), [("import sys; sys.exit(3)", 3), ("pass", 0), ("1/0", 1)])
def test_the_exit_code_is_that_of_the_command(code, expected):
    process = start(sys.executable, "-c", code)
    assert end(process) == expected


def test_a_signal_that_ends_the_command_is_told():
    process = start(sys.executable, "-c", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    assert end(process) == 128 + signal.SIGKILL


def test_signals_are_passed_on(tmp_path):
    process = start(sys.executable, "-c", FAMILY, str(tmp_path / "ids"))
    wait_for(tmp_path / "ids")
    process.send_signal(signal.SIGTERM)
    assert end(process) == 7
    os.killpg(process.pid, signal.SIGKILL)


def test_all_processes_end_with_the_one_that_started_them(tmp_path):
    # The starter is killed with -9 and can do nothing about it.
    starter = f"""
import subprocess, sys, time
subprocess.Popen({[sys.executable, "-P", leash.__file__, sys.executable, "-c", FAMILY, str(tmp_path / "ids")]!r},
                 stdin=subprocess.PIPE, start_new_session=True)
time.sleep(60)
"""
    process = subprocess.Popen([sys.executable, "-c", starter])
    family = wait_for(tmp_path / "ids")
    assert all(map(is_alive, family))
    process.kill()
    process.wait()
    wait_until_gone(*family)
