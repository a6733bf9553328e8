"""The tables and the sentence of a report that tell how good predicted masks are."""

from collections.abc import Mapping, Sequence
from typing import Any

from medvision.evaluation.mask_text import (
    MASK_BY_CLASS,
    MASK_SUMMARY,
    mask_class_count_texts,
    mask_count_text,
    mask_notes,
    measure_digits,
    title_with_unit,
)
from medvision.evaluation.text import interval_text, supported_digits, value_text
from medvision.reports.cells import entry_cell, spread_text

Entry = Mapping[str, Any]

MASKS = "dice"
"""The metric that a run with masks has."""
_FIRST_WORDS = ("dice", "iou", "pixel_", "hd95", "assd", "area_", "absent_mask_classes")
_TOLD = {"dice": "Dice", "hd95": "95th-percentile Hausdorff distance"}
_DIGITS = 3


def is_mask_metric(name: str) -> bool:
    """Whether a metric is one of masks, not of labels."""
    return name.startswith(_FIRST_WORDS)


def mask_table(metrics: Mapping[str, Mapping[str, Entry]], classes: Sequence[str]) -> dict[str, Any]:
    """The tables of the masks of one split, in the form of `page_tables.metric_tables`.

    Args:
        metrics: {level: {metric: entry}}, of masks alone.
        classes: `mask_classes`, the background first.
    """
    first = next(iter(metrics.values()))
    summary = [
        (title_with_unit(title, first[metric]), [entry_cell(entries[metric]) for entries in metrics.values()])
        for metric, title in MASK_SUMMARY.items()
    ]
    by_class = {
        level: [
            (name, count, [entry_cell(entries[f"{metric}_{name}"]) for metric in MASK_BY_CLASS])
            for name, count in mask_class_count_texts(entries).items()
        ]
        for level, entries in metrics.items()
    }
    columns = [title_with_unit(title, first[f"{metric}_{classes[1]}"]) for metric, title in MASK_BY_CLASS.items()]
    return {
        "kind": "masks",
        "counts": [mask_count_text(entries, level) for level, entries in metrics.items()],
        "summary": summary,
        "columns": columns,
        "by_class": by_class,
        "notes": mask_notes(metrics),
    }


def mask_answer(entries: Mapping[str, Entry]) -> tuple[str, str]:
    """What was scored and how good it is, in words.

    Args:
        entries: {metric: entry} of one level, of masks alone.
    """
    values = " and ".join(f"{title} {_said(entries[name])}" for name, title in _TOLD.items())
    return mask_count_text(entries, "image"), values


def _said(entry: Entry) -> str:
    if entry["value"] is None:
        return "undefined"
    digits = _digits(entry)
    interval = interval_text(entry, digits).replace("–", " to ")
    unit = f" {entry['unit']}" if "unit" in entry else ""
    remarks = [f"95 % interval {interval}"] if interval else []
    if entry.get("infinite"):
        remarks.append(f"{entry['infinite']} infinite left out")
    if "folds" in entry and (spread := spread_text(entry["folds"], digits)):
        remarks.append(f"over folds {spread}")
    return f"{value_text(entry, digits)}{unit}" + (f" ({'; '.join(remarks)})" if remarks else "")


def _digits(entry: Entry) -> int:
    return measure_digits(entry) if "unit" in entry else supported_digits(entry, _DIGITS)
