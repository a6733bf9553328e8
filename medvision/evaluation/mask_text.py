"""Metrics of masks as text: the tables of the terminal, and the words of a report."""

import textwrap
from collections.abc import Mapping
from typing import Any

from medvision.evaluation.text import (
    ENOUGH_PATIENTS,
    FEW,
    LONGEST_NAME,
    NO_INTERVAL,
    UNITS,
    WIDTH,
    align,
    cut,
    interval_text,
    value_text,
)

Entry = Mapping[str, Any]
Levels = Mapping[str, Mapping[str, Entry]]

MASK_SUMMARY = {
    "dice": "Dice",
    "iou": "IoU",
    "pixel_sensitivity": "pixel sensitivity",
    "pixel_precision": "pixel precision",
    "hd95": "Hausdorff distance HD95",
    "assd": "surface distance ASSD",
}
MASK_BY_CLASS = {
    "dice": "Dice",
    "iou": "IoU",
    "pixel_sensitivity": "sensitivity",
    "pixel_precision": "precision",
    "hd95": "HD95",
    "assd": "ASSD",
    "area_error": "area error",
    "area_bias": "area bias",
}
# Two tables: one of all columns would be wider than a terminal.
TERMINAL_RATIOS = ("dice", "iou", "pixel_sensitivity", "pixel_precision")
TERMINAL_MEASURES = ("hd95", "assd", "area_error")


def title_with_unit(title: str, entry: Entry) -> str:
    """`HD95 (mm)`; the title alone where the metric has no unit."""
    return f"{title} ({entry['unit']})" if "unit" in entry else title


def measure_digits(entry: Entry) -> int:
    """Decimals that leave a distance or an area three significant digits, 2 at most."""
    size = abs(entry["value"] or 0)
    return 2 if size < 10 else 1 if size < 100 else 0


def mask_class_names(entries: Mapping[str, Entry]) -> list[str]:
    """The foreground classes, from the metrics of one level."""
    return [name.removeprefix("dice_") for name in entries if name.startswith("dice_")]


def few_counted(entries: Mapping[str, Entry]) -> dict[str, int]:
    """The classes that fewer than 20 patients show, in either mask, and how many.

    Args:
        entries: the metrics of one level.
    """
    counts = {name: entries[f"dice_{name}"]["patients"] for name in mask_class_names(entries)}
    return {name: count for name, count in counts.items() if 0 < count < ENOUGH_PATIENTS}


def mask_class_count_texts(entries: Mapping[str, Entry]) -> dict[str, str]:
    """How many cases count for each class, with the mark `*` where they are of fewer than 20 patients.

    Args:
        entries: the metrics of one level.
    """
    few = few_counted(entries)
    counts = {name: entries[f"dice_{name}"]["n"] for name in mask_class_names(entries)}
    return {name: f"{count}{FEW if name in few else ''}" for name, count in counts.items()}


def mask_count_text(entries: Mapping[str, Entry], level: str) -> str:
    """`94 images of 25 patients`, from the metrics of one level."""
    return _count(entries["absent_mask_classes"]["n"], entries["absent_mask_classes"]["patients"], level)


def _count(n: int, patients: int, level: str) -> str:
    units = level if n == 1 else UNITS[level]
    if level == "patient" or patients == n:
        return f"{n} {units}"
    return f"{n} {units} of {patients} {'patient' if patients == 1 else 'patients'}"


def segmentation_report(metrics: Levels) -> str:
    """The metrics of the masks of one split for the terminal, at most 100 characters wide.

    Args:
        metrics: {level: {metric: entry}}; what is not of masks is left out.
    """
    parts = [_summary(metrics)]
    for level, entries in metrics.items():
        parts.append(f"Masks by class, per {level}\n{_ratios(entries)}\n\n{_measures(entries)}")
    said = [line for note in mask_notes(metrics) for line in textwrap.wrap(note, WIDTH)]
    return "\n\n".join([*parts, "\n".join(said)] if said else parts)


def _summary(metrics: Levels) -> str:
    rows = [["95 % intervals", *(mask_count_text(entries, level) for level, entries in metrics.items())]]
    first = next(iter(metrics.values()))
    for name, title in MASK_SUMMARY.items():
        cells = [_cell(entries[name], " [{}]", digits=3) for entries in metrics.values()]
        rows.append([title_with_unit(title, first[name]), *cells])
    return align(rows)


def _ratios(entries: Mapping[str, Entry]) -> str:
    rows = [["class", "n", *(MASK_BY_CLASS[name] for name in TERMINAL_RATIOS)]]
    for label, count in mask_class_count_texts(entries).items():
        cells = [_cell(entries[f"{name}_{label}"], " {}", digits=2) for name in TERMINAL_RATIOS]
        rows.append([cut(label, LONGEST_NAME), count, *cells])
    return align(rows)


def _measures(entries: Mapping[str, Entry]) -> str:
    labels = mask_class_names(entries)
    titles = [title_with_unit(MASK_BY_CLASS[name], entries[f"{name}_{labels[0]}"]) for name in TERMINAL_MEASURES]
    rows = [["class", *titles]]
    for label in labels:
        cells = [_cell(entries[f"{name}_{label}"], " {}", digits=2) for name in TERMINAL_MEASURES]
        rows.append([cut(label, LONGEST_NAME), *cells])
    return align(rows)


def _cell(entry: Entry, form: str, digits: int) -> str:
    digits = measure_digits(entry) if "unit" in entry else digits
    interval = interval_text(entry, digits)
    return value_text(entry, digits) + (form.format(interval) if interval else "")


def mask_notes(metrics: Levels) -> list[str]:
    """What a reader of the metrics of one split must know: what is not counted, and intervals that say little.

    Args:
        metrics: {level: {metric: entry}}; what is not of masks is left out.
    """
    level, first = next(iter(metrics.items()))
    whole = first["absent_mask_classes"]
    shown = {name: first[f"dice_{name}"]["n"] for name in mask_class_names(first)}
    infinite = {name: first[f"hd95_{name}"]["infinite"] for name in shown}
    there = [name for name in shown if name not in whole["value"]]
    lines = []
    if whole["value"]:
        absent = [f"{name} (predicted in {shown[name]})" if shown[name] else name for name in whole["value"]]
        lines.append(f"In no true mask of this split, and in no mean over classes: {', '.join(absent)}.")
    units = _count(whole["n"], whole["n"], level)
    uncounted = _list_counts({name: whole["n"] - shown[name] for name in there})
    if uncounted:
        lines.append(f"Not counted, as neither true nor predicted mask shows the class (of {units}): {uncounted}.")
    missed = _list_counts({name: infinite[name] for name in there})
    if missed:
        lines.append(
            "HD95 and ASSD are infinite, and in no mean, where only one of the two masks shows the class "
            f"(of {units}): {missed}."
        )
    return lines + _interval_notes(metrics)


def _list_counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} ({count})" for name, count in counts.items() if count)


def _interval_notes(metrics: Levels) -> list[str]:
    first = next(iter(metrics.values()))
    shown = {name: first[f"dice_{name}"]["patients"] for name in mask_class_names(first)}
    scored = [entry for entries in metrics.values() for entry in _mask_entries(entries) if entry["value"] is not None]
    if scored and all(entry["low"] is None for entry in scored):
        one = max(shown.values()) < 2
        return ["No intervals: " + ("one patient says nothing about others." if one else "no resamples.")]
    lines = []
    n, patients = first["absent_mask_classes"]["n"], first["absent_mask_classes"]["patients"]
    unit = "patients" if patients < n else "images"
    few = _list_counts(few_counted(first))
    if patients < ENOUGH_PATIENTS:
        lines.append(f"Only {patients} {unit}: interpret the intervals with care.")
    if few:
        lines.append(
            f"{FEW} Fewer than {ENOUGH_PATIENTS} {unit} count for a class, so interpret its intervals with care: {few}."
        )
    if any(entry["low"] is None for entry in scored):
        lines.append(NO_INTERVAL)
    return lines


def _mask_entries(entries: Mapping[str, Entry]) -> list[Entry]:
    by_class = [f"{metric}_{name}" for name in mask_class_names(entries) for metric in MASK_BY_CLASS]
    return [entries[name] for name in (*MASK_SUMMARY, *by_class)]
