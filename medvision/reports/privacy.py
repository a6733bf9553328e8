"""What a page that others will read must not tell of the person who made it."""

import re
from pathlib import Path

_USER = r"[^/\\\s'\"]+"
# Also of another machine: a report may be drawn again elsewhere.
_HOMES = re.compile(rf"(?<![\w.~-])(?:/home/|/Users/|[A-Za-z]:[\\/]+Users[\\/]+){_USER}")


def file_name(path: str) -> str:
    r"""The last part of a path of any system: the rest tells of the machine.

    >>> file_name("weights/a.safetensors"), file_name(r"C:\weights\a.safetensors")
    ('a.safetensors', 'a.safetensors')
    """
    return path.replace("\\", "/").rpartition("/")[2]


def hide_home(text: str, home: Path | None = None) -> str:
    """The text with every home folder written as `~`.

    Args:
        text: of any kind, such as an experiment file.
        home: the user's own home folder; None asks the system.

    >>> hide_home("root: /home/ann/images", Path("/srv/ann"))
    'root: ~/images'
    >>> hide_home("root: /srv/ann/images, not /srv/anna", Path("/srv/ann"))
    'root: ~/images, not /srv/anna'
    """
    own = str(Path.home() if home is None else home).rstrip("/\\")
    if own:
        text = re.sub(rf"(?<![\w.~-]){re.escape(own)}(?![\w.-])", "~", text)
    return _HOMES.sub("~", text)
