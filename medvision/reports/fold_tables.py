"""The tables of a cross-validation: who is in which fold, every metric fold by fold, decisions, choices and costs."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from medvision.evaluation.decision import FoldDecisions
from medvision.evaluation.mask_text import MASK_SUMMARY, measure_digits, title_with_unit
from medvision.evaluation.text import SUMMARY, UNDEFINED, supported_digits, value_text
from medvision.reports.cells import Cell, Entry, Table, count_cell, entry_cell, spread_text
from medvision.reports.cost import time_text
from medvision.reports.page_tables import MOST_ROWS, count_folds, cut_note, split_facts
from medvision.reports.thresholds import threshold_text

if TYPE_CHECKING:
    from medvision.reports.inputs import FoldInputs, FoldPart, ReportInputs

MOST_FOLDS = 10
"""Columns of a table that has one a fold; of more folds only the range is shown."""
MOST_THRESHOLDS = 8
NAMED = ("patient", "study", "image")
"""Columns whose values must not stand in a page."""
SPLITS = {"train": "trained on", "val": "validated on", "test": "tested on"}


def who_table(
    split: pd.DataFrame, classes: Sequence[str], group: str, groups: str, fold_by: str | None = None
) -> Table:
    """Images by class, images, groups and patients of every fold, and of all.

    Args:
        split: `split.csv`, once an image.
        classes: of the labels; empty where there are none.
        group: what stays together, such as `patient`.
        groups: its plural.
        fold_by: the column whose values are the folds, which then stand beside their numbers.
    """
    counted = count_folds(split, classes)
    called: dict[str, str] = {}
    if fold_by is not None and fold_by in split and fold_by not in NAMED:
        values = split.groupby("fold")[fold_by].first()
        called = {f"fold {fold}": f"fold {fold}: {value}" for fold, value in values.items()}
    # A class a column: of many there is no room, and split.csv has them all.
    shown = list(classes) if len(classes) <= MOST_FOLDS else []
    units = [] if group == "image" else [groups]
    patients = group != "patient" and any(row["patients"] is not None for row in counted)
    rows = [
        (
            called.get(row["name"], row["name"]),
            [
                *(count_cell(row["counts"][name]) for name in shown),
                count_cell(row["images"]),
                *([count_cell(row["groups"])] if units else []),
                *([count_cell(row["patients"])] if patients else []),
            ],
        )
        for row in [*counted[:MOST_ROWS], *counted[MOST_ROWS:][-1:]]
    ]
    return Table(
        caption="Images by fold and class" if shown else "Images by fold",
        heads=["tested in", *shown, "images", *units, *(["patients"] if patients else [])],
        rows=rows,
        notes=cut_note(len(counted) - 1, "split.csv"),
    )


def training_table(folds: "FoldInputs") -> Table | None:
    """What each fold's network was trained, validated and tested on, and what these do not share.

    Args:
        folds: with the splits of the folds; those without one are left out.

    Returns:
        None where no fold has kept its split.
    """
    rows: list[tuple[str, list[Cell]]] = []
    known = [(part.title, part.split) for part in folds.parts if part.split is not None]
    if not known:
        return None
    shared = "groups" if any(split_facts(split)["shared_patients"] is None for _, split in known) else "patients"
    for title, split in known[:MOST_ROWS]:
        cells = [_part_cell(split[split["split"] == name]) for name in SPLITS]
        rows.append((title, [*cells, count_cell(split_facts(split)[f"shared_{shared}"])]))
    return Table(
        caption="Images of each fold's own splits",
        heads=["fold", *SPLITS.values(), f"{shared} in two splits"],
        rows=rows,
        notes=[*cut_note(len(known), "the folders of the folds"), "Counted in the split.csv of each fold."],
    )


def _part_cell(rows: pd.DataFrame) -> Cell:
    known = rows["patient"].replace("", None).dropna() if "patient" in rows else rows["group"].iloc[:0]
    patients = known.nunique()
    return count_cell(len(rows), f"{patients:,} patient{'s' * (patients != 1)}" if len(known) else "")


def value_tables(inputs: "ReportInputs") -> list[Table]:
    """Every metric: pooled with its interval, mean and standard deviation over folds, and the value of each fold.

    Args:
        inputs: of a cross-validation.

    Returns:
        A table a level; of more than ten folds with the lowest and the highest value only.
    """
    assert inputs.folds is not None, "a single run has no folds"
    tables = []
    for level, entries in inputs.metrics[inputs.answering].items():
        found = inputs.folds.summary.get(level, {})
        names = [name for name in (*SUMMARY, *MASK_SUMMARY) if name in found and name in entries]
        if names:
            tables.append(_value_table(level, {name: (entries[name], found[name]) for name in names}, inputs.folds))
    return tables


def _value_table(level: str, metrics: Mapping[str, tuple[Entry, Mapping[str, Any]]], folds: "FoldInputs") -> Table:
    few = len(folds.parts) <= MOST_FOLDS
    rows = []
    for name, (pooled, found) in metrics.items():
        digits = measure_digits(pooled) if "unit" in pooled else supported_digits(pooled)
        values = list(found["values"].values())
        known = [value for value in values if value is not None]
        shown = values if few else [min(known, default=None), max(known, default=None)]
        value, interval = entry_cell({key: told for key, told in pooled.items() if key != "folds"})
        cells = [(value, interval), (spread_text({**found, "of": len(values)}, digits) or UNDEFINED, [])]
        title = title_with_unit({**SUMMARY, **MASK_SUMMARY}[name], pooled)
        rows.append((title, [*cells, *((value_text({"value": one}, digits), []) for one in shown)]))
    heads = [part.title for part in folds.parts] if few else ["lowest", "highest"]
    unknown = any(value is None for _, found in metrics.values() for value in found["values"].values())
    notes = ["A dash: the fold does not define the metric, for instance because a class is absent there."]
    return Table(
        caption=f"Fold by fold, per {level}",
        heads=["metric", "pooled", "mean ± SD", *heads],
        rows=rows,
        notes=notes if unknown else [],
    )


def decision_table(decision: FoldDecisions, names: Sequence[str]) -> Table:
    """Temperature and thresholds of every fold, and how many validation images they come from.

    Args:
        decision: of the folds.
        names: of the classes that have thresholds.
    """
    levels = list(dict.fromkeys(level for one in decision.by_fold.values() for level in one.thresholds)) or ["image"]
    columns = [(level, name) for level in levels for name in names]
    shown = columns[:MOST_THRESHOLDS]
    rows = []
    for fold, one in list(decision.by_fold.items())[:MOST_ROWS]:
        source = one.chosen_on or {}
        thresholds: list[Cell] = [(threshold_text(one.threshold(level, name)), []) for level, name in shown]
        below = f"{source['patients']:,} patients" if "patients" in source else ""
        rows.append(
            (decided_fold(fold), [(f"{one.temperature:.3f}", []), *thresholds, count_cell(source.get("n"), below)])
        )
    heads = [f"threshold, {name}, per {level}" for level, name in shown]
    more = f"The first {len(shown)} of {len(columns)} thresholds; decision.json has them all."
    return Table(
        caption="Temperature and thresholds by fold",
        heads=["fold", "temperature", *heads, "chosen on"],
        rows=rows,
        notes=[*([more] if len(columns) > len(shown) else []), *cut_note(len(decision.by_fold), "decision.json")],
    )


def decided_fold(name: str) -> str:
    """A fold of `decision.json` in words.

    >>> decided_fold("3"), decided_fold("repeat-1-fold-3")
    ('fold 3', 'repeat 1, fold 3')
    """
    return name.replace("-fold-", ", fold ").replace("repeat-", "repeat ") if "fold" in name else f"fold {name}"


def chosen_table(folds: "FoldInputs") -> Table | None:
    """What was chosen for each fold on inner folds that leave its test images out.

    Args:
        folds: with the choices.

    Returns:
        None where nothing was chosen.
    """
    if not folds.choices:
        return None
    settings = list(dict.fromkeys(name for found in folds.choices.values() for name in found["settings"]))
    rows: list[tuple[str, list[Cell]]] = []
    for part in folds.parts[:MOST_ROWS]:
        if part.name not in folds.choices:
            continue
        found = folds.choices[part.name]
        values = [one[found["metric"]] for one in found["tried"] if one[found["metric"]] is not None]
        worst = f"worst {min(values):.3f} of {len(found['tried'])}" if len(found["tried"]) > 1 else ""
        cells: list[Cell] = [(_plain(found["settings"].get(name)), []) for name in settings]
        rows.append((part.title, [*cells, (f"{max(values):.3f}", [worst] if worst else [])]))
    first = next(iter(folds.choices.values()))
    measured = f"{SUMMARY.get(first['metric']) or MASK_SUMMARY[first['metric']]} on inner folds"
    return Table(
        caption="Settings chosen by fold",
        heads=["fold", *settings, measured],
        rows=rows,
        notes=["What was chosen did best on the inner folds, so its value there is too good; folds.json has them all."],
    )


def _plain(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return UNDEFINED if value is None else str(value)


def cost_table(folds: "FoldInputs") -> Table | None:
    """Time and memory of every fold, as far as they were measured.

    Args:
        folds: with their environments and histories.
    """
    measured = {
        "choosing": lambda part: _time(part.environment.get("choosing_seconds")),
        "training": lambda part: _time(part.environment.get("training_seconds")),
        "epochs": lambda part: "" if part.history is None else str(len(part.history)),
        "evaluated epoch": lambda part: "" if part.best_epoch is None else str(part.best_epoch + 1),
        "an image": lambda part: _milliseconds(part.environment.get("seconds_per_image")),
        "memory": lambda part: _gibibytes(part.environment.get("peak_memory_mib")),
        "GPU memory": lambda part: _gibibytes(part.environment.get("peak_gpu_memory_mib")),
    }
    cells = {head: [tell(part) for part in folds.parts] for head, tell in measured.items()}
    kept = {head: column for head, column in cells.items() if any(column)}
    if not kept:
        return None
    rows: list[tuple[str, list[Cell]]] = [
        (part.title, [(column[k] or UNDEFINED, []) for column in kept.values()])
        for k, part in enumerate(folds.parts[:MOST_ROWS])
    ]
    notes = cut_note(len(folds.parts), "folds.json")
    return Table(caption="Time and memory by fold", heads=["fold", *kept], rows=rows, notes=notes)


def _time(seconds: float | None) -> str:
    return "" if seconds is None else time_text(seconds)


def _milliseconds(seconds: float | None) -> str:
    return "" if seconds is None else f"{1000 * seconds:.3g} ms"


def _gibibytes(mebibytes: float | None) -> str:
    return "" if mebibytes is None else f"{mebibytes / 1024:.3g} GiB"


def links(parts: Sequence["FoldPart"]) -> list[tuple[str, str]]:
    """(name in words, relative address) of the reports of the folds that are there."""
    return [(part.title, part.link) for part in parts if part.link is not None]
