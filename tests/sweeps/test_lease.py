import os
import subprocess
import sys

from medvision.sweeps.lease import is_alive, this_host


def test_a_process_is_known_as_long_as_it_runs():
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    assert is_alive(process.pid)
    assert is_alive(os.getpid())
    process.kill()
    # Nobody has asked for its exit code yet.
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert not is_alive(process.pid)
    process.communicate()
    assert not is_alive(process.pid)


def test_a_host_has_one_name():
    asked = [sys.executable, "-c", "from medvision.sweeps.lease import this_host; print(this_host())"]
    assert subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip() == this_host()
