"""Valid files, changed at random: whatever comes of them is answered, or refused in one line, and soon."""

import signal
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medvision.errors import MedvisionError

# Seconds; reading one of these files takes milliseconds, and the machine may be busy.
LONGEST = 20
LONGEST_LINE = 5_000
ENOUGH = 1_000
EDGES = (b"\x00", b"\xff", b"\xff\xff", b"\xff\xff\xff\x7f", b"\xff\xff\xff\xff", b"\x00\x00\x00\x80", b"\x01\x00")
TEXTS = (b"nan", b"-1", b"1e999", b"null", b"[" * 40, b'"', b"\n", b",", b"../", b"\xed\xa0\x80", b"${HOME}", b"9" * 30)

# Drawn bytes say what is changed: which file, how many changes, and of each its place, kind and amount. Many inputs are
# drawn at once, because a draw takes longer than most of these files to read.
AT_ONCE, MOST_CHANGES = 25, 5
BYTES_OF_ONE = 2 + 4 * MOST_CHANGES


def decode(drawn: bytes) -> Iterator[tuple[int, list[tuple[int, int, int]]]]:
    """The files and their changes: number of the file, and (place of 2**16, kind, amount) of each change."""
    for start in range(0, len(drawn), BYTES_OF_ONE):
        which, number, *rest = drawn[start : start + BYTES_OF_ONE]
        some = [rest[4 * k : 4 * k + 4] for k in range(1 + number % MOST_CHANGES)]
        yield which, [(256 * high + low, kind % 7, amount) for high, low, kind, amount in some]


def change(content: bytes, place: int, kind: int, amount: int) -> bytes:
    """One change: a byte, an edge value, a text, a piece that is gone, that stands twice, or an end that is missing."""
    at = place * len(content) // 2**16
    # Headers say how the rest is read: half of the changes fall there.
    at = at % 64 if amount % 2 else at
    if kind == 0:
        return content[:at] + bytes([amount]) + content[at + 1 :]
    if kind in (1, 2):
        some = EDGES if kind == 1 else TEXTS
        put = some[amount % len(some)]
        return content[:at] + put + content[at + (len(put) if kind == 1 else amount % 8) :]
    if kind == 3:
        return content[:at] + content[at + amount :]
    if kind == 4:
        return content[:at] + content[at : at + amount] * 2 + content[at + amount :]
    if kind == 5:
        return content[:at]
    return content[:at] + bytes(reversed(content[at : at + amount])) + content[at + amount :]


class NoEndError(BaseException):
    """Something takes too long; no handler of the program takes it for a damaged file."""


@contextmanager
def limited(seconds: float):
    """Fail where something does not come to an end."""

    def stop(number, frame):
        raise NoEndError(f"took more than {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def attempt(read: Callable[[], object]) -> bool:
    """Whether something was read; False where it was refused in lines that can be shown. All else is raised."""
    try:
        with limited(LONGEST), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            read()
    except MedvisionError as error:
        lines = error.lines
    else:
        return True
    assert lines
    assert all(line.strip() and len(line) < LONGEST_LINE for line in lines), lines
    return False


def run_many(try_one: Callable[[int, list[tuple[int, int, int]]], bool], inputs: int) -> dict[bool, int]:
    """Draw so many changes; how often `try_one` could read what came of them, and how often not."""
    counts = {True: 0, False: 0}

    @settings(
        max_examples=-(-inputs // AT_ONCE),
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.binary(min_size=AT_ONCE * BYTES_OF_ONE, max_size=AT_ONCE * BYTES_OF_ONE))
    def all_of_them(drawn):
        for which, changes in decode(drawn):
            counts[try_one(which, changes)] += 1

    all_of_them()
    assert sum(counts.values()) >= inputs
    # A fuzz whose every input is refused at the door, or let through, has tested little; few inputs may happen to be.
    assert inputs < ENOUGH or min(counts.values()) > 0.002 * inputs, counts
    return counts


def fuzz(read: Callable[[bytes], object], contents: Sequence[bytes], inputs: int) -> None:
    """Read so many changed files.

    Args:
        read: the program; may raise MedvisionError and nothing else.
        contents: valid files, which must be read as they are.
        inputs: how many.
    """
    for content in contents:
        read(content)

    def try_one(which: int, changes: list[tuple[int, int, int]]) -> bool:
        content = contents[which % len(contents)]
        for place, kind, amount in changes:
            content = change(content, place, kind, amount)
        return attempt(lambda: read(content))

    run_many(try_one, inputs)
