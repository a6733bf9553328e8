"""Blocks as what they are: commands with what they print, files of YAML, programs in Python."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from tests.docs.pages import Block, Inline, Page

SHELLS = ("bash", "sh", "shell", "console", "shell-session")
# Languages whose blocks are no commands, and what kind they are.
KINDS = {"yaml": "yaml", "python": "python", "py": "python", "json": "json", "toml": "toml", "text": "output"}
PROGRAMS = ("python", "python3", "medvision", "make", "pip", "uv", "wandb", "torchrun", "sbatch", "srun", "streamlit")
VARIABLE = re.compile(r"^\w+=\S*$")
# Code between backticks that is meant to be typed: a program with something behind it.
TYPED = re.compile(rf"^(?:(?:{'|'.join(PROGRAMS)}) (?!-m$)\S|medvision\.[a-z_]+ \S|from medvision\S* import )")
# `[--split test|val|train]`: may be left out; a bracket inside a word belongs to the word.
OPTIONAL = re.compile(r" \[([^\]]*)\](?= |$)")


@dataclass(frozen=True)
class Command:
    """A command of a page as a reader types it, and the lines that the page shows below it."""

    page: str
    line: int
    text: str
    output: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.page}:{self.line} {self.text}"

    @property
    def words(self) -> list[str]:
        """What the shell makes of it, without its comment; `…` is dropped."""
        return [word for word in shlex.split(self.text, comments=True) if word not in ("…", "...")]

    @property
    def program(self) -> str:
        """Its first word that is no variable."""
        return next((word for word in self.words if not VARIABLE.match(word)), "")

    @property
    def call(self) -> tuple[str, list[str]] | None:
        """The command of medvision and its arguments, however it is started; None of other programs."""
        return medvision_call(self.words)


def medvision_call(words: list[str]) -> tuple[str, list[str]] | None:
    """The verb and its arguments; an empty verb stands for `python -m medvision` alone."""
    for number, word in enumerate(words):
        if re.fullmatch(r"medvision\.[a-z_]+", word):
            return word.partition(".")[2], words[number + 1 :]
        if word == "medvision" and number and words[number - 1] == "-m":
            return "", words[number + 1 :]
    if words[:1] == ["medvision"]:
        return (words[1], words[2:]) if len(words) > 1 else ("", [])
    return None


def kind_of(block: Block) -> str:
    """`shell`, `yaml`, `python`, `json`, `toml` or `output`.

    Raises:
        ValueError: a language that nothing here can try.
    """
    if block.language in SHELLS:
        return "shell"
    if block.language in KINDS:
        return KINDS[block.language]
    if block.language:
        raise ValueError(f"{block}: nobody knows how to try a block of '{block.language}'")
    first = next((line.strip() for line in block.text.splitlines() if line.strip()), "")
    typed = first.startswith("$ ") or any(_starts(first, program) for program in PROGRAMS) or _assigns(first)
    return "shell" if typed else "output"


def _starts(line: str, program: str) -> bool:
    return line.startswith(f"{program} ")


def _assigns(line: str) -> bool:
    words = line.split()
    return bool(words) and VARIABLE.match(words[0]) is not None and any(word in PROGRAMS for word in words)


def split(block: Block) -> list[Command]:
    """The commands of a shell block. After `$ ` stands a command, and the lines below it are what it prints."""
    console = any(line.startswith("$ ") for line in block.text.splitlines())
    found: list[tuple[int, str, list[str]]] = []
    open_line = False
    for number, line in enumerate(block.text.splitlines()):
        if open_line:
            at, text, output = found[-1]
            found[-1] = (at, f"{text[:-1].rstrip()} {line.strip()}", output)
        elif console and not line.startswith("$ "):
            if found:
                found[-1][2].append(line)
            continue
        elif line.strip() and not line.lstrip().startswith("#"):
            found.append((block.line + number, line.removeprefix("$ ").strip(), []))
        else:
            continue
        open_line = found[-1][1].endswith("\\")
    return [Command(block.page, at, text, tuple(output)) for at, text, output in found]


def commands_of(page: Page) -> Iterator[Command]:
    """Every command of a page in its order, those between backticks among them."""
    for piece in page.pieces:
        if isinstance(piece, Inline):
            if TYPED.match(piece.text) and not piece.text.startswith("from "):
                yield Command(piece.page, piece.line, piece.text)
        elif kind_of(piece) == "shell":
            yield from split(piece)


def spellings(text: str) -> list[str]:
    """A command with each choice of what it leaves to the reader: `[--split test|val]`, `--format onnx|torch`."""
    parts = re.split(r"( \[[^\]]*\](?= |$)|(?<= )\w+(?:\|\w+)+(?= |$))", text)
    return ["".join(chosen) for chosen in product(*(_choices(part) for part in parts))]


def _choices(part: str) -> list[str]:
    optional = OPTIONAL.fullmatch(part)
    if optional is None:
        return part.split("|") if re.fullmatch(r"\w+(?:\|\w+)+", part) else [part]
    head, _, values = optional[1].replace("...", "").strip().rpartition(" ")
    return ["", *(" ".join(["", *head.split(), value]) for value in values.split("|"))]
