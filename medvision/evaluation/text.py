"""Metrics as text: the classification report of the terminal, and how a value and its interval are written."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from medvision.evaluation.decimals import supported_decimals

Entry = Mapping[str, Any]

SUMMARY = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "sensitivity": "sensitivity (mean)",
    "specificity": "specificity (mean)",
    "f1": "F1 (macro)",
    "auroc": "AUROC",
    "average_precision": "average precision",
    "kappa": "Cohen's kappa",
    "log_loss": "log loss",
    "brier": "Brier score",
    "ece": "calibration error (ECE)",
    "calibration_slope": "calibration slope",
    "calibration_intercept": "calibration intercept",
}
BY_CLASS = {
    "sensitivity": "sensitivity",
    "specificity": "specificity",
    "precision": "precision",
    "npv": "NPV",
    "f1": "F1",
    "auroc": "AUROC",
    "average_precision": "average precision",
}
UNDEFINED = "–"
WIDTH = 100
LONGEST_NAME = 13
# Of fewer patients, or fewer with a class, an interval is too narrow more often than it says.
ENOUGH_PATIENTS = 20
ENOUGH_EVENTS = 10
FEW = "*"
TERMINAL_COLUMNS = ("sensitivity", "specificity", "precision", "f1", "auroc")
NO_INTERVAL = (
    "No interval where one patient alone counts, where fewer than half of the resamples define the metric, and where "
    "all of them give the same value: too few cases to say how sure it is."
)
UNITS = {"image": "images", "study": "studies", "patient": "patients"}


def supported_digits(entry: Entry, digits: int = 3) -> int:
    """Decimals of an entry: no more than its number of cases supports; a distance or an area is no share of cases."""
    counted = "n" in entry and "unit" not in entry
    return min(digits, supported_decimals(entry["n"])) if counted else digits


def value_text(entry: Entry, digits: int = 3) -> str:
    """A value as text, with as many digits as its cases support; a dash where it is undefined."""
    value = entry["value"]
    return UNDEFINED if value is None else f"{value:z.{supported_digits(entry, digits)}f}"


def interval_text(entry: Entry, digits: int = 3) -> str:
    """An interval as text, empty where there is none.

    A dash between negative numbers would look like one more minus.
    """
    if entry["low"] is None:
        return ""
    digits = supported_digits(entry, digits)
    if entry["low"] < 0:
        return f"{entry['low']:z.{digits}f} to {entry['high']:z.{digits}f}"
    return f"{entry['low']:z.{digits}f}–{entry['high']:z.{digits}f}"


def class_counts(metrics: Mapping[str, Entry]) -> dict[str, int]:
    """How many cases show each class, from the metrics of one level."""
    if "label_counts" in metrics:
        counts = metrics["label_counts"]
        return {name: row["tp"] + row["fn"] for name, row in zip(counts["classes"], counts["value"], strict=True)}
    matrix = metrics["confusion_matrix"]
    return {name: sum(row) for name, row in zip(matrix["classes"], matrix["value"], strict=True)}


def few_events(metrics: Mapping[str, Entry]) -> dict[str, int]:
    """The classes that fewer than 10 patients have, and how many; without those that nobody has.

    Args:
        metrics: of one level.
    """
    counts = metrics["label_counts" if "label_counts" in metrics else "confusion_matrix"]
    pairs = zip(counts["classes"], counts["class_patients"], strict=True)
    return {name: patients for name, patients in pairs if 0 < patients < ENOUGH_EVENTS}


def class_count_texts(metrics: Mapping[str, Entry]) -> dict[str, str]:
    """How many cases show each class, with the mark `*` where they are of fewer than 10 patients.

    Args:
        metrics: of one level.
    """
    few = few_events(metrics)
    return {name: f"{count}{FEW if name in few else ''}" for name, count in class_counts(metrics).items()}


def count_text(metrics: Mapping[str, Entry], level: str) -> str:
    """`94 images of 25 patients`, from the metrics of one level."""
    n, patients = metrics["accuracy"]["n"], metrics["accuracy"]["patients"]
    units = level if n == 1 else UNITS[level]
    if level == "patient" or patients == n:
        return f"{n} {units}"
    return f"{n} {units} of {patients} {'patient' if patients == 1 else 'patients'}"


def classification_report(metrics: Mapping[str, Mapping[str, Entry]]) -> str:
    """The metrics of one split for the terminal, at most 100 characters wide.

    Args:
        metrics: {level: {metric: entry}}.
    """
    parts = [_summary(metrics)]
    for level, entries in metrics.items():
        parts.append(f"By class, per {level}\n{_by_class(entries)}")
        if "confusion_matrix" in entries:
            parts.append(_confusion(entries["confusion_matrix"], level))
    said = [line for note in notes(metrics) for line in textwrap.wrap(note, WIDTH)]
    return "\n\n".join([*parts, "\n".join(said)] if said else parts)


def _summary(metrics: Mapping[str, Mapping[str, Entry]]) -> str:
    head = ["95 % intervals", *(count_text(entries, level) for level, entries in metrics.items())]
    rows = [head]
    for name, title in SUMMARY.items():
        found = [entries[name] for entries in metrics.values() if name in entries]
        if found:
            rows.append([title, *(_cell(entry, " [{}]") for entry in found)])
    return align(rows)


def _by_class(entries: Mapping[str, Entry]) -> str:
    rows = [["class", "n", *(BY_CLASS[name] for name in TERMINAL_COLUMNS)]]
    for label, count in class_count_texts(entries).items():
        cells = [_cell(entries[f"{name}_{label}"], " {}", digits=2) for name in TERMINAL_COLUMNS]
        rows.append([cut(label, LONGEST_NAME), count, *cells])
    return align(rows)


def _confusion(entry: Entry, level: str) -> str:
    classes, matrix = entry["classes"], entry["value"]
    title = f"Confusion matrix, per {level} (rows: true, columns: predicted)"
    room = (WIDTH - LONGEST_NAME - 4) // len(classes) - 2
    longest = max(len(str(count)) for row in matrix for count in row)
    if room < max(longest, 2):
        return f"{title}\n{len(classes)} classes do not fit here; the report shows it"
    numbered = room < min(8, max(map(len, classes)))
    digits = len(str(len(classes)))
    names = [f"{k:>{digits}} {name}" if numbered else name for k, name in enumerate(classes, start=1)]
    head = ["", *(str(k) if numbered else cut(name, room) for k, name in enumerate(classes, start=1))]
    body = [[cut(name, LONGEST_NAME + 2), *map(str, row)] for name, row in zip(names, matrix, strict=True)]
    return f"{title}\n{align([head, *body], right=True)}"


def notes(metrics: Mapping[str, Mapping[str, Entry]]) -> list[str]:
    """What a reader of the metrics of one split must know: absent classes, and intervals that say little or nothing.

    Args:
        metrics: {level: {metric: entry}}.
    """
    first = next(iter(metrics.values()))
    lines = []
    absent = first["absent_classes"]["value"]
    if absent:
        lines.append(f"Not in this split, and in no mean: {', '.join(absent)}.")
    scored = [entry for entries in metrics.values() for entry in entries.values() if "low" in entry]
    if all(entry["low"] is None for entry in scored):
        one = first["accuracy"]["patients"] == 1
        return [*lines, "No intervals: " + ("one patient says nothing about others." if one else "no resamples.")]
    n, patients = first["accuracy"]["n"], first["accuracy"]["patients"]
    unit = "patients" if patients < n else "images"
    if patients < ENOUGH_PATIENTS:
        lines.append(f"Only {patients} {unit}: interpret the intervals with care.")
    few = ", ".join(f"{name} ({count})" for name, count in few_events(first).items())
    if few:
        lines.append(
            f"{FEW} Fewer than {ENOUGH_EVENTS} {unit} have the class, so interpret what is said of it with care: {few}."
        )
    for level, entries in metrics.items():
        lines += _exact_notes(entries, level)
    if any(entry["low"] is None and entry["value"] is not None for entry in scored):
        lines.append(NO_INTERVAL)
    return lines


def _exact_notes(entries: Mapping[str, Entry], level: str) -> list[str]:
    """Which intervals of a level do not come from resamples."""
    lines = []
    found = {
        method: [name for name, entry in entries.items() if entry.get("method") == method]
        for method in ("wilson", "newcombe")
    }
    if found["wilson"] and entries["accuracy"]["n"] == entries["accuracy"]["patients"]:
        shares = "accuracy, sensitivity, specificity, precision and NPV"
        lines.append(f"Per {level}, each case is of another patient: Wilson's intervals of {shares}.")
    elif found["wilson"]:
        shares = _list_metrics(found["wilson"], entries)
        where = "where all or none of the answers are right, of as many cases as patients"
        lines.append(f"Per {level}, Wilson's intervals {where}: {shares}.")
    if found["newcombe"]:
        lines.append(f"Per {level}, Newcombe's intervals of AUROCs of 0 or 1.")
    return lines


def _list_metrics(names: Sequence[str], entries: Mapping[str, Entry]) -> str:
    """`sensitivity (a, b), precision (c)`."""
    parts = []
    for metric, title in {"accuracy": "accuracy", **BY_CLASS}.items():
        classes = [label for label in class_counts(entries) if f"{metric}_{label}" in names]
        if metric in names or classes:
            parts.append(f"{title} ({', '.join(classes)})" if classes else title)
    return ", ".join(parts)


def _cell(entry: Entry, form: str, digits: int = 3) -> str:
    interval = interval_text(entry, digits)
    return value_text(entry, digits) + (form.format(interval) if interval else "")


def cut(name: str, width: int) -> str:
    """A name in at most `width` characters, the last one `…` where it is longer."""
    return name if len(name) <= width else f"{name[: width - 1]}…"


def align(rows: Sequence[Sequence[str]], *, right: bool = False) -> str:
    """Rows of cells as lines of columns, two spaces apart; `right` aligns all but the first to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [
            cell.rjust(width) if right and k else cell.ljust(width)
            for k, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
