"""A file that is nowhere but in memory, for the readers of images."""

import errno
import io
import sys
from pathlib import Path, PurePath
from typing import IO, Any, NoReturn


# The class of paths of this system: `Path` itself makes another class of its own before Python 3.12.
class MemoryFile(type(Path())):  # type: ignore[misc]
    """Bytes that are read as a file is, by everything that opens its path itself.

    It has no path that a system call would take, so that nothing of the same name on the disk is ever read in its
    place.

    Args:
        name: what messages call it, and whose suffix says what it may be; folders before it are dropped.
        content: its bytes.
    """

    def __new__(cls, name: str, content: bytes) -> "MemoryFile":  # noqa: D102
        return super().__new__(cls, _called(name))

    def __init__(self, name: str, content: bytes) -> None:
        # Before, paths are made by `__new__` alone.
        if sys.version_info >= (3, 12):
            super().__init__(_called(name))
        self.content = content

    def open(
        self,
        mode: str = "r",
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
    ) -> IO[Any]:
        """Its bytes, for reading; the other arguments are for text, and not looked at.

        Raises:
            ValueError: any other mode than `rb`.
        """
        if mode != "rb":
            raise ValueError(f"{self}: a file in memory is opened with 'rb', not {mode!r}")
        return io.BytesIO(self.content)

    def read_bytes(self) -> bytes:
        """Its bytes."""
        return self.content

    def absolute(self) -> "MemoryFile":
        """The same: it is in no folder."""
        return self

    def with_segments(self, *segments: Any) -> PurePath:
        """What is derived from its name is a name, not a file."""
        return PurePath(*segments)

    def stat(self, *, follow_symlinks: bool = True) -> NoReturn:
        """Refuse: no file system knows it.

        Raises:
            FileNotFoundError: always.
        """
        raise FileNotFoundError(errno.ENOENT, "is in memory, not on the disk", str(self))

    def __fspath__(self) -> NoReturn:
        raise TypeError(f"{self}: is in memory, and has no path")


def _called(name: str) -> str:
    last = name.replace("\\", "/").rpartition("/")[2]
    return "".join(letter for letter in last if letter.isprintable())[-200:] or "file"
