"""The YAML of the experiment files: the core schema of YAML 1.2 in place of PyYAML's 1.1, plus `None` for null.

So `1e-3` is a number; `no`, `on`, `y`, `007`, `1:30` and `2024-01-31` are text. `None` is how a W&B agent writes null.
"""

import re
from typing import Any

import yaml

TAG = "tag:yaml.org,2002:"
MERGE_TAG = TAG + "merge"
STRING_TAG = TAG + "str"
PLAIN_TAGS = {TAG + name for name in ("str", "int", "float", "bool", "null")}
COLLECTION_TAGS = {TAG + name for name in ("map", "seq")}

# tag, pattern, possible first characters
RESOLVERS = (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("null", r"~|null|Null|NULL|None|", ["~", "n", "N", ""]),
    ("int", r"[-+]?(0|[1-9][0-9]*)", "-+0123456789"),
    (
        "float",
        r"[-+]?((\d+\.\d*|\.\d+)([eE][-+]?\d+)?|\d+[eE][-+]?\d+|\.(inf|Inf|INF))|\.(nan|NaN|NAN)",
        "-+.0123456789",
    ),
    ("merge", r"<<", "<"),
)


class Loader(yaml.SafeLoader):
    """Resolves plain scalars by `RESOLVERS` alone."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012  (PyYAML's own attribute, filled below)


class Dumper(yaml.SafeDumper):
    """Writes what `Loader` reads back as the same value."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012  (PyYAML's own attribute, filled below)

    def ignore_aliases(self, data: object) -> bool:
        """Write a repeated list twice instead of as an anchor."""
        return True


for _name, _pattern, _first in RESOLVERS:
    for _class in (Loader, Dumper):
        _class.add_implicit_resolver(TAG + _name, re.compile(f"^(?:{_pattern})$"), list(_first))


def is_unicode(text: str) -> bool:
    """False where half a character stands alone: bytes of another encoding, or a broken escape."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def scalar_value(node: yaml.ScalarNode) -> bool | int | float | str | None:
    """The plain value of a scalar.

    Raises:
        ValueError: a tag such as `!!binary`, a text that does not fit its tag, or text that is not valid Unicode.
    """
    if node.tag not in PLAIN_TAGS:
        raise ValueError(f"the tag {node.tag!r} is not known here")
    try:
        value = Loader("").construct_object(node)
    except (ValueError, KeyError):  # `!!int many`, `!!bool perhaps`
        raise ValueError(f"{node.value[:40]!r} does not fit its tag") from None
    if isinstance(value, str) and not is_unicode(value):
        raise ValueError("the text holds characters that are not valid Unicode")
    return value


def resolve_scalar(text: str) -> bool | int | float | str | None:
    """The value that unquoted text stands for."""
    tag = Loader("").resolve(yaml.ScalarNode, text.strip(), (True, False))
    return text if tag in (STRING_TAG, MERGE_TAG) else scalar_value(yaml.ScalarNode(tag, text.strip()))
