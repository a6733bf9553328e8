"""The tables of a report as plain rows: who is in which split, and how good the predictions of a split are."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from medvision.data.splits import UNUSED
from medvision.data.table import LABEL_SEPARATOR
from medvision.evaluation.text import (
    BY_CLASS,
    SUMMARY,
    class_count_texts,
    count_text,
    interval_text,
    notes,
    supported_digits,
    value_text,
)
from medvision.reports.cells import entry_cell, spread_text
from medvision.reports.mask_tables import MASKS, is_mask_metric, mask_answer, mask_table

Entries = Mapping[str, Mapping[str, Any]]

LABELS = "accuracy"
"""The metric that a run with labels has, as one with masks has `MASKS`."""
MOST_ROWS = 100
"""Rows of a table; a page of a thousand classes would be too large to be read."""


def count_splits(split: pd.DataFrame, classes: Sequence[str]) -> list[dict[str, Any]]:
    """Images by class, images, groups and patients of every split.

    Args:
        split: `split.csv`.
        classes: of the labels; empty where there are none.

    Returns:
        {name, counts, images, groups, patients} a split; patients are None where they are not known.
    """
    parts = {name: split[split["split"] == name] for name in ("train", "val", "test", UNUSED)}
    return [{"name": name, **_count(part, classes)} for name, part in parts.items() if len(part)]


def count_folds(split: pd.DataFrame, classes: Sequence[str]) -> list[dict[str, Any]]:
    """The same of every fold of a cross-validation, and last of all folds together.

    Args:
        split: `split.csv`, with a column fold.
        classes: of the labels; empty where there are none.
    """
    used = split[split["split"] != UNUSED]
    folds = [{"name": f"fold {name}", **_count(part, classes)} for name, part in used.groupby("fold", sort=True)]
    return [*folds, {"name": "all folds", **_count(used, classes)}]


def _count(part: pd.DataFrame, classes: Sequence[str]) -> dict[str, Any]:
    counts = {}
    if classes:
        labels = part["label"].fillna("").astype(str).str.split(LABEL_SEPARATOR).explode()
        counts = {label: int((labels == label).sum()) for label in classes}
    known = "patient" in part and bool((part["patient"].fillna("").astype(str) != "").all())
    patients = part["patient"].nunique() if known else None
    return {"counts": counts, "images": len(part), "groups": part["group"].nunique(), "patients": patients}


def split_facts(split: pd.DataFrame, parts: str = "split") -> dict[str, int | None]:
    """Counted anew from the table: what stands in more than one split, or in more than one fold.

    Args:
        split: `split.csv`.
        parts: the column that must not share anything, `split` or `fold`.

    Returns:
        None where the column of what could be shared is not known.
    """
    used = split[split["split"] != UNUSED]
    facts: dict[str, int | None] = {"groups": used["group"].nunique()}
    for name, column in (("shared_groups", "group"), ("shared_patients", "patient"), ("shared_files", "sha256")):
        known = used[used[column].notna() & (used[column].astype(str) != "")] if column in used else used.iloc[:0]
        facts[name] = int((known.groupby(column)[parts].nunique() > 1).sum()) if len(known) else None
    return facts


def metric_tables(metrics: Entries, mask_classes: Sequence[str]) -> list[dict[str, Any]]:
    """The tables of one split, for its labels, its masks, or both.

    Args:
        metrics: {level: {metric: entry}} of the split.
        mask_classes: the background first; empty where there are no masks.

    Returns:
        {kind, counts, summary, columns, by_class, notes} each: `counts` the heads of the columns of `summary`, rows of
        (title, cells); `by_class` a level with rows of (class, n, cells under `columns`). A cell is the value and the
        lines below it.
    """
    tables = []
    labelled = label_half(metrics)
    if labelled:
        tables.append(_label_table(labelled))
    masked = mask_half(metrics)
    if masked:
        tables.append(mask_table(masked, mask_classes))
    return tables


def answer_text(metrics: Entries, where: str) -> str:
    """The results of one split in a sentence, of whole studies where there are any.

    Labels and masks share the sentence where they were scored on the same cases, else each has its own.

    Args:
        metrics: {level: {metric: entry}} of the split.
        where: what the cases are of, such as `of the test split`.
    """
    found: list[tuple[str, str]] = []
    labelled = label_half(metrics)
    if labelled:
        level = "study" if "study" in labelled else "image"
        entries = labelled[level]
        told = [name for name in ("auroc", "balanced_accuracy", "f1") if name in entries][:2]
        values = " and ".join(f"{SUMMARY[name]} {_said(entries[name])}" for name in told)
        found.append((count_text(entries, level), values))
    masked = mask_half(metrics)
    if masked:
        found.append(mask_answer(masked["image"]))
    said: dict[str, str] = {}
    for cases, values in found:
        said[cases] = f"{said[cases]}; {values}" if cases in said else values
    return " ".join(f"On {cases} {where}: {values}." for cases, values in said.items())


def label_half(metrics: Entries) -> Entries:
    """The levels that have metrics of labels, with these alone."""
    return _half(metrics, LABELS, masks=False)


def mask_half(metrics: Entries) -> Entries:
    """The levels that have metrics of masks, with these alone."""
    return _half(metrics, MASKS, masks=True)


def _half(metrics: Entries, telling: str, *, masks: bool) -> Entries:
    return {
        level: {name: entry for name, entry in entries.items() if is_mask_metric(name) == masks}
        for level, entries in metrics.items()
        if telling in entries
    }


def _label_table(metrics: Entries) -> dict[str, Any]:
    summary = [
        (title, [entry_cell(entries[metric]) for entries in metrics.values()])
        for metric, title in SUMMARY.items()
        if all(metric in entries for entries in metrics.values())
    ]
    by_class = {}
    for level, entries in metrics.items():
        counts = class_count_texts(entries)
        # Runs that were evaluated before a metric was there do not have it.
        columns = [metric for metric in BY_CLASS if f"{metric}_{next(iter(counts))}" in entries]
        by_class[level] = [
            (label, count, [entry_cell(entries[f"{metric}_{label}"]) for metric in columns])
            for label, count in list(counts.items())[:MOST_ROWS]
        ]
    return {
        "kind": "labels",
        "counts": [count_text(entries, level) for level, entries in metrics.items()],
        "summary": summary,
        "columns": [BY_CLASS[metric] for metric in columns],
        "by_class": by_class,
        "notes": [*notes(metrics), *cut_note(len(counts), "metrics.json")],
    }


def cut_note(rows: int, file: str) -> list[str]:
    """Says that a table leaves rows out, and where they stand; empty where it does not.

    >>> cut_note(512, "metrics.json")
    ['The first 100 of 512; metrics.json has them all.']
    """
    return [f"The first {MOST_ROWS} of {rows}; {file} has them all."] if rows > MOST_ROWS else []


def _said(entry: Mapping[str, Any]) -> str:
    if entry["value"] is None:
        return "undefined"
    interval = interval_text(entry).replace("–", " to ")
    spread = spread_text(entry["folds"], supported_digits(entry)) if "folds" in entry else ""
    told = [f"95 % interval {interval}" if interval else "", f"over folds {spread}" if spread else ""]
    return value_text(entry) + (f" ({'; '.join(filter(None, told))})" if any(told) else "")
