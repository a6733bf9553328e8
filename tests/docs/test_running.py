"""The commands and programs of each page, run in their order in a folder where everything that they name exists."""

import contextlib
import io
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from medvision.errors import MedvisionError
from tests.docs import elsewhere
from tests.docs.commands import TYPED, Command, commands_of, kind_of, spellings, split
from tests.docs.files import name_of
from tests.docs.pages import ROOT, Block, Page, pages
from tests.docs.running import missing, run, run_benchmark
from tests.docs.sandbox import Store, fill

NAMED = {entry.text for entry in elsewhere.COMMANDS}
SERVED = {entry.text for entry in elsewhere.SERVERS}
NOT_HERE = tuple(entry.text for entry in elsewhere.ANSWERS)
DRAWINGS = {entry.text for entry in elsewhere.DRAWINGS}
# They take longest: run on the first page that says so. A run that a later page builds on is made where it is missing.
MANY_RUNS = ("cross_validate", "compare", "cluster")
PROGRAM = re.compile(r"from medvision\S* import .*")
PATH = re.compile(r"[\w./-]+/[\w./-]+")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return Store(tmp_path_factory.mktemp("drawn"))


@pytest.fixture(scope="module")
def seen() -> set[str]:
    """What was run on the pages before."""
    return set()


@dataclass
class Reader:
    """Somebody who types what a page says, from its top to its end, and notes what does not come out as it says."""

    page: Page
    store: Store
    printed: str = ""
    problems: list[str] = field(default_factory=list)
    names: dict[str, Any] = field(default_factory=dict)
    done: set[str] = field(default_factory=set)
    # What no other command builds on, and was run on another page.
    seen: set[str] = field(default_factory=set)

    def read(self) -> None:
        """Do everything that the page says."""
        for piece in self.page.pieces:
            if not isinstance(piece, Block):
                self._inline(piece.text, str(piece), piece.line)
            elif kind_of(piece) == "shell":
                for command in split(piece):
                    self.type(command)
            elif (name := name_of(piece, self.page)) is not None:
                Path(name).parent.mkdir(parents=True, exist_ok=True)
                Path(name).write_text(piece.text, encoding="utf-8")
            elif kind_of(piece) == "python":
                self._program(piece.text, str(piece))
            elif kind_of(piece) == "output":
                self._compare(piece)

    def _inline(self, text: str, where: str, line: int) -> None:
        if PROGRAM.fullmatch(text):
            self._program(text, where)
        elif TYPED.match(text):
            self.type(Command(self.page.path, line, text))

    def type(self, command: Command) -> None:
        """Run a command, unless it is named elsewhere or was typed before."""
        text = " ".join(command.words)
        served = f"{command.program} -m medvision." + (command.call[0] if command.call else "")
        if text in NAMED or served in SERVED or (text in self.done and not command.output):
            return
        self.done.add(text)
        if command.call is not None and command.call[0] in MANY_RUNS and not command.output:
            if text in self.seen:
                return
            self.seen.add(text)
        for spelling in spellings(command.text):
            self._run(Command(command.page, command.line, spelling, command.output))

    def _run(self, command: Command) -> None:
        if command.program == "make":
            self._make(command)
            return
        if command.call is None:
            _, script, *arguments = command.words
            self.printed, code = run_benchmark(script, arguments, ROOT, self.store)
        else:
            self.printed, code = run(command, self.store)
        lost = missing(tuple(line for line in command.output if not line.startswith("medvision: ")), self.printed)
        if lost:
            self._note(str(command), "does not print", *lost)
        mistakes = [line for line in command.output if line.startswith("medvision: ") and not line.startswith(NOT_HERE)]
        told = self.printed.splitlines()
        exact = [line for line in mistakes if not any(one.startswith(line.partition("…")[0].rstrip()) for one in told)]
        if exact:
            self._note(str(command), "does not answer", *exact)
        if (code != 0) != bool(mistakes):
            self._note(str(command), f"ends with {code}", *self.printed.splitlines()[-5:])

    def _make(self, command: Command) -> None:
        """Type what the target would: the lines of the recipe that are commands of medvision."""
        words = ["make", "-C", str(ROOT), "--no-print-directory", "--dry-run", *command.words[1:]]
        recipe = subprocess.run(words, capture_output=True, text=True, check=True).stdout.replace("\\\n", " ")
        found = [line[line.index("-m medvision.") :] for line in recipe.splitlines() if "-m medvision." in line]
        if not found:
            self._note(str(command), "runs no command of medvision")
        for text in found:
            self.type(Command(command.page, command.line, f"python {text}"))

    def _program(self, text: str, where: str) -> None:
        told = io.StringIO()
        for word in re.findall(r"""["']((?:runs|scans|data)/[^"']+|\w+\.(?:png|dcm|onnx))["']""", text):
            self.store.provide(word)
        try:
            with contextlib.redirect_stdout(told):
                exec(compile(text, where, "exec"), self.names)
        except MedvisionError as error:
            self._note(where, *error.lines)
        self.printed = told.getvalue()

    def _compare(self, block: Block) -> None:
        """A block of output belongs to the command above it; one of paths, to the folder."""
        lines = block.text.splitlines()
        if lines[0] in DRAWINGS or any(line.startswith("medvision: ") for line in lines):
            return
        before = [command for command in commands_of(self.page) if command.line < block.line]
        if before and " ".join(before[-1].words) in NAMED:
            return
        if all(PATH.fullmatch(line) for line in lines):
            there = "\n".join(path.as_posix() for path in sorted(Path().rglob("*")) if "/runs/" not in str(path))
            lost = missing(tuple(lines), there)
        else:
            lost = missing(tuple(lines), self.printed)
        if lost:
            self._note(str(block), "is not what comes out above", *lost)

    def _note(self, *lines: str) -> None:
        self.problems.append("\n    ".join(lines))


def has_work(page: Page) -> bool:
    return any(kind_of(block) in ("shell", "python", "output") for block in page.blocks) or any(commands_of(page))


@pytest.fixture
def sandbox(tmp_path, monkeypatch) -> Iterator[Path]:
    """An empty folder with the shipped experiments, of somebody who has set no variable of ours."""
    fill(tmp_path)
    monkeypatch.chdir(tmp_path)
    for variable in ("MEDVISION_DATA", "WANDB_MODE", "SLURM_JOB_ID"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "0")
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in pages() if has_work(page)], ids=lambda page: page.path)
def test_a_page_does_what_it_says(page, store, seen, sandbox):
    reader = Reader(page, store, seen=seen)
    reader.read()
    assert not reader.problems, "\n".join(["", *reader.problems])
