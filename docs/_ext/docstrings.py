"""What the site takes from docstrings in Google style."""

import inspect
import re
import textwrap

SECTION = re.compile(r"^(Args|Returns|Raises|Attributes|Yields):$")
ARGUMENT = re.compile(r"^ {4}(\w+): (.+)$")


def summary(thing: object) -> str:
    """The first sentence of a docstring, on one line."""
    return re.split(r"(?<=\.)\s", body(thing), maxsplit=1)[0].replace("\n", " ")


def body(thing: object) -> str:
    """A docstring up to its first section: what stands before the arguments."""
    lines = (inspect.getdoc(thing) or "").splitlines()
    end = next((number for number, line in enumerate(lines) if SECTION.match(line)), len(lines))
    return "\n".join(lines[:end]).strip()


def arguments(kind: type) -> dict[str, str]:
    """The arguments that the docstrings of a class and of its bases describe, each on one line.

    >>> class Half:
    ...     '''A half.
    ...
    ...     Args:
    ...         of: what is
    ...             halved.
    ...     '''
    >>> arguments(Half)
    {'of': 'what is halved.'}
    """
    found: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        found |= _arguments_of(inspect.cleandoc(vars(base).get("__doc__") or ""))
    return found


def _arguments_of(docstring: str) -> dict[str, str]:
    found: dict[str, str] = {}
    section, name = "", ""
    for line in docstring.splitlines():
        if heading := SECTION.match(line):
            section = heading[1]
        elif section == "Args":
            if begin := ARGUMENT.match(line):
                name = begin[1]
                found[name] = begin[2]
            elif name and line.startswith(" " * 8):
                found[name] += f" {line.strip()}"
    return found


def paragraphs(text: str) -> list[tuple[bool, str]]:
    """The paragraphs of a command's docstring, each with whether it is made of commands."""
    found = []
    for block in re.split(r"\n\s*\n", text.strip("\n")):
        plain = textwrap.dedent(block)
        found.append((plain.startswith(("python ", "torchrun ", "medvision ")), plain))
    return found
