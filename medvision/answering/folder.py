"""The folder of answers: tables, masks, pictures, and what a killed run goes on from."""

import json
import os
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import pandas as pd
from filelock import FileLock, Timeout

from medvision.answering.asked import Asked
from medvision.answering.records import Answers, Record
from medvision.errors import ConfigError
from medvision.runs import write_json, write_table

Format = Literal["csv", "json", "parquet"]
FORMATS: tuple[Format, ...] = ("csv", "json", "parquet")
KEPT = [one.name for one in fields(Record) if one.name != "pixels"]


@dataclass(frozen=True, eq=False)
class AnswerFolder:
    """A folder that answers are written into, image by image.

    Args:
        path: the folder; it may be new.
    """

    path: Path

    @property
    def asked(self) -> Path:
        """What was asked of whom: other questions are refused."""
        return self.path / "asked.json"

    @property
    def progress(self) -> Path:
        """A line an image, in the order in which they were answered."""
        return self.path / "progress.jsonl"

    @property
    def skipped(self) -> Path:
        """Images that cannot be read, and why."""
        return self.path / "skipped.csv"

    def lock(self) -> FileLock:
        """Held as long as answers are written.

        Raises:
            ConfigError: another process writes there.
        """
        lock = FileLock(self.path / ".lock")
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            raise ConfigError(
                f"--output: another process is writing into {self.path}; wait, or give another"
            ) from error
        return lock

    def begin(self, question: dict[str, Any]) -> None:
        """Make the folder, or take it up again.

        Args:
            question: plain values; the same for the same model, images and options.

        Raises:
            ConfigError: it cannot be made, or holds other things or the answers to another question.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"--output: {self.path} cannot be made: {error.strerror or error}") from error
        if self.asked.is_file():
            before = _read_question(self.asked)
            changed = [name for name in question if before.get(name) != question[name]]
            if changed:
                raise ConfigError(
                    f"--output: {self.path} holds the answers to another question ({', '.join(changed)} differ); "
                    "give another folder"
                )
            return
        if any(file.name[0] != "." for file in self.path.iterdir()):
            raise ConfigError(f"--output: {self.path} holds other files; give a folder that is new or empty")
        write_json(self.asked, question)

    def done(self, asked: Sequence[Asked]) -> dict[str, Record]:
        """The records of images that were answered before and whose files are still the same, by name."""
        stamps = {one.name: one.stamp for one in asked}
        found = {}
        for record in self._records():
            if stamps.get(record.image) == record.stamp:
                found[record.image] = record
        return found

    def _records(self) -> Iterable[Record]:
        if not self.progress.is_file():
            return
        content = self.progress.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        if len(whole) < len(content):
            # The process was killed while it wrote a line: the next one must not go on behind it.
            os.truncate(self.progress, len(whole))
        for line in whole.decode("utf-8").splitlines():
            try:
                yield Record(**json.loads(line))
            except (ValueError, TypeError) as error:
                raise ConfigError(
                    f"{self.progress}: damaged, or of another version; remove the folder to begin anew"
                ) from error

    def add(self, records: Iterable[Record]) -> None:
        """Keep some records; they are on the disk when this returns."""
        lines = [json.dumps({name: getattr(record, name) for name in KEPT}) + "\n" for record in records]
        with self.progress.open("a", encoding="utf-8") as file:
            file.writelines(lines)
            file.flush()

    def finish(self, answers: Answers, kind: Format) -> list[Path]:
        """Write the tables.

        Returns:
            Their files, that of the images first.
        """
        named = {"predictions": answers.images, "studies": answers.studies, "patients": answers.patients}
        written = []
        for name, table in named.items():
            if table is not None:
                written.append(self.path / f"{name}.{kind}")
                write_answers(table, written[-1], kind)
        if len(answers.skipped):
            write_table(self.skipped, answers.skipped)
            written.append(self.skipped)
        else:
            self.skipped.unlink(missing_ok=True)
        return written


def write_answers(table: pd.DataFrame, path: Path, kind: Format) -> None:
    """Write a table of answers; the file appears complete or not at all."""
    if kind == "csv":
        write_table(path, table)
    elif kind == "json":
        write_json(path, plain_rows(table))
    else:
        part = path.with_name(f".{path.name}.part")
        table.to_parquet(part, index=False)
        part.replace(path)


def plain_rows(table: pd.DataFrame) -> list[dict[Hashable, Any]]:
    """The rows of a table as plain values, with None where nothing is known."""
    return table.astype(object).where(table.notna(), None).to_dict("records")


def call_all(asked: Sequence[Asked], done: dict[str, Record]) -> dict[str, str]:
    """What the mask and the pictures of each image are called, below their folders: no two the same, none outside.

    Args:
        asked: the images.
        done: records of those that have their names already.

    Returns:
        Image -> path ending in `.png`.
    """
    names = {image: record.called for image, record in done.items()}
    taken = set(names.values())
    for one in asked:
        if one.name in names:
            continue
        path = PurePosixPath(
            *[part for part in Path(one.below).parts if part not in ("..", ".", Path(one.below).anchor)]
        )
        number = "" if one.frame is None else f"_{one.frame}"
        tries = (f"{stem}{number}{more}.png" for stem, more in _stems(path))
        name = next(name for given in tries if (name := str(path.with_name(given))) not in taken)
        names[one.name] = name
        taken.add(name)
    return names


def _stems(path: PurePosixPath) -> Iterable[tuple[str, str]]:
    yield path.stem, ""
    yield path.name, ""
    count = 2
    while True:
        yield path.stem, f"_{count}"
        count += 1


def _read_question(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ConfigError(f"{path}: cannot be read; remove the folder to begin anew") from error
    return found if isinstance(found, dict) else {}
