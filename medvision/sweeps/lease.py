"""Who holds a trial: a process is known by its host and its id, as long as it renews what it holds."""

import contextlib
import os
import socket
from pathlib import Path

# Seconds after which a lease that nobody has renewed is given up; the clocks of machines are not compared.
LEASE = 90.0


def this_host() -> str:
    """A name under which process ids are unique: two containers may share a host name, but not their processes."""
    namespace = Path("/proc/self/ns/pid")
    return f"{socket.gethostname()} {namespace.stat().st_ino if namespace.exists() else ''}".strip()


def is_alive(pid: int) -> bool:
    """Whether a process of this host runs; one that has ended, and waits for its parent to ask how, does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    status = Path(f"/proc/{pid}/stat")
    with contextlib.suppress(OSError):
        return status.read_text().rpartition(")")[2].split()[0] != "Z"
    return True
