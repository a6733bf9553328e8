"""The app, with a record of each file that it opens for writing and of each address that it speaks to.

Run as a program: `python watched_app.py RECORD RUN … [options]`. Python tells its hooks of everything that its own
functions open, also of files without a name.
"""

import os
import sys
from pathlib import Path

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_TRUNC
CHANGING = ("os.mkdir", "os.rename", "os.link", "os.symlink", "tempfile.mkstemp", "tempfile.mkdtemp", "os.truncate")
SPEAKING = ("socket.connect", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo", "socket.gethostbyname")
STARTING = ("subprocess.Popen", "os.exec", "os.posix_spawn", "os.system")


def watch(record: Path) -> None:
    """Write a line for each of the above from now on."""
    file = os.open(record, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def hook(event: str, given: tuple) -> None:
        if event == "open":
            path, mode, flags = given
            written = isinstance(path, int) or str(path) == os.devnull
            if not written and (flags & WRITING or any(letter in "wax+" for letter in mode or "")):
                os.write(file, f"writes {path!r}\n".encode())
        elif event in CHANGING:
            os.write(file, f"writes {event} {given[:1]!r}\n".encode())
        elif event in SPEAKING:
            os.write(file, f"speaks {event} {given[-1] if event != 'socket.getaddrinfo' else given[0]!r}\n".encode())
        elif event in STARTING:
            os.write(file, f"starts {given[:2]!r}\n".encode())

    sys.addaudithook(hook)


if __name__ == "__main__":
    watch(Path(sys.argv[1]))
    from medvision.app import main

    main(sys.argv[2:])
