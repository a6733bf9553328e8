"""Text of other people, such as names of files and classes, that the browser must show as it is."""

import re

from medvision.errors import MedvisionError

# Every punctuation of ASCII may be escaped so in CommonMark.
_MARKS = re.compile(r"([!-/:-@\[-`{-~])")


def plain(text: str) -> str:
    r"""Text for a place that reads Markdown, in which it must do nothing: no picture of another host, no link.

    >>> plain("![x](//host/y.png)")
    '\\!\\[x\\]\\(\\/\\/host\\/y\\.png\\)'
    """
    return _MARKS.sub(r"\\\1", " ".join(text.split()))


def said(error: MedvisionError) -> str:
    """The lines of a mistake, for a place that reads Markdown."""
    return "\n\n".join(plain(line) for line in error.lines)
