"""A run is exported: built, compared with itself on its validation images, and only then put in its place."""

import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from medvision.answering.model_info import Precision
from medvision.exporting.building import Built, build
from medvision.exporting.formats import PARITY, TABLE, Format
from medvision.exporting.parity import EXACT, TOLERANCES, Run, Tolerance, compare_answers, summarise
from medvision.exporting.source import Source
from medvision.runs import RunFolder, read_json, read_table, write_json, write_table

ROUNDS, TIMED, SHOWN_FROM = 5, 64, 64


@dataclass(frozen=True)
class Exported:
    """What became of one format and precision.

    Args:
        path: of the file or folder; there is none if there are failures.
        precision: of the network in it.
        bytes: of it.
        parity: from `parity.summarise`.
        images_per_second: of prepared images in batches of the run, on the CPU of this machine; None of a folder.
        times_fp32: the same as a multiple of that of the network in 32 bits, timed in turn.
    """

    path: Path
    precision: Precision
    bytes: int
    parity: dict[str, Any]
    images_per_second: float | None
    times_fp32: float | None

    @property
    def failures(self) -> list[str]:
        """Where it is further from the run than it may be, a sentence each."""
        return [f"on {leg} images {text}" for leg, found in self.parity.items() for text in found["failures"]]


def export_run(
    source: Source, kind: Format, precisions: Sequence[Precision], output: Path, tolerance: float | None = None
) -> list[Exported]:
    """Export a run. Of what is further from it than it may be nothing is left, nor of what had its name before.

    `parity.json` and `parity.csv` name images: they go into the run folder wherever the files go.

    Args:
        source: the run.
        kind: the format.
        precisions: of the networks, a file each.
        output: the folder for the files.
        tolerance: in place of `TOLERANCES`, see `one_tolerance`.
    """
    output.mkdir(parents=True, exist_ok=True)
    done: list[Exported] = []
    tables: list[pd.DataFrame] = []
    with tempfile.TemporaryDirectory(dir=output, prefix=".export-") as folder:
        built = build(source, kind, precisions, Path(folder))
        speeds = time_runs({one.precision: one.run for one in built if one.run is not None}, source)
        for one in (one for one in built if one.precision in precisions):
            table = _compare(source, kind, one)
            legs = EXACT if kind == "huggingface" else TOLERANCES[one.precision]
            if tolerance is not None:
                legs = dict.fromkeys(legs, one_tolerance(tolerance))
            exported = Exported(
                output / one.path.name,
                one.precision,
                _bytes(one.path),
                summarise(table, legs),
                *speeds.get(one.precision, (None, None)),
            )
            _place(one.path, exported)
            done.append(exported)
            tables.append(table.assign(model=one.path.name))
    write_parity(source.run, done, pd.concat(tables, ignore_index=True))
    return done


def one_tolerance(share: float) -> Tolerance:
    """Probabilities may differ by it, so many answers may be others, and Dice may be so far below 1."""
    return Tolerance(probability=share, flips=share, pixel=1.0, dice=1 - share)


def _compare(source: Source, kind: Format, one: Built) -> pd.DataFrame:
    count = source.validation_images
    images = tqdm(source.validation(), one.path.name, count, unit="image", disable=count < SHOWN_FROM)
    # A folder holds the network itself, which answers as that of the run does: on its device, in its precision.
    reference = source.trained if kind == "huggingface" else source.reference
    # Windows are not resized: originals are what is prepared.
    run = None if source.model.preparation.fit == "none" else one.run
    return compare_answers(source.model, reference, one.member, run, images)


def time_runs(runs: Mapping[Precision, Run], source: Source) -> dict[Precision, tuple[float, float]]:
    """Images/s of prepared validation images, and that as a multiple of 32 bits: medians over rounds, in turn."""
    batches = list(source.squares("val", TIMED))
    images = sum(map(len, batches))
    seconds: dict[Precision, list[float]] = {precision: [] for precision in runs}
    for _ in range(ROUNDS + 1):
        for precision, run in runs.items():
            start = time.perf_counter()
            for batch in batches:
                run(batch)
            seconds[precision].append(time.perf_counter() - start)
    # The first round warms up.
    taken = {precision: np.array(each[1:]) for precision, each in seconds.items()}
    return {
        precision: (images / statistics.median(each), float(np.median(taken["fp32"] / each)))
        for precision, each in taken.items()
    }


def _bytes(path: Path) -> int:
    return sum(file.stat().st_size for file in (path, *path.rglob("*")) if file.is_file())


def _place(path: Path, exported: Exported) -> None:
    """Put what was built in its place, or, where it failed, take away what is there."""
    parts = sorted(path.iterdir()) if path.is_dir() else [path]
    target = exported.path if path.is_dir() else exported.path.parent
    target.mkdir(exist_ok=True)
    for part in parts:
        if exported.failures:
            (target / part.name).unlink(missing_ok=True)
        else:
            part.replace(target / part.name)


def write_parity(run: RunFolder, done: Sequence[Exported], table: pd.DataFrame) -> None:
    """Write `parity.json` and `parity.csv`, beside what they say of files that were exported before.

    Args:
        run: the run folder.
        done: what was exported now.
        table: from `compare_answers`, with a column `model`.
    """
    folder = run.exported
    folder.mkdir(exist_ok=True)
    entries: dict[str, Any] = {}
    names = [one.path.name for one in done]
    if (folder / PARITY).is_file() and (folder / TABLE).is_file():
        entries = {name: entry for name, entry in read_json(folder / PARITY).items() if name not in names}
        before = read_table(folder / TABLE)
        table = pd.concat([before[before["model"].isin(list(entries))], table], ignore_index=True)
    for one in done:
        entries[one.path.name] = {
            "precision": one.precision,
            "bytes": one.bytes,
            "images_per_second": one.images_per_second,
            "times_fp32": one.times_fp32,
            "passed": not one.failures,
            **one.parity,
        }
    write_json(folder / PARITY, entries)
    first = ["model", "leg", "image"]
    write_table(folder / TABLE, table[first + [name for name in table if name not in first]])
