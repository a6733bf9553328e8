"""The tables of a report on clusters."""

from collections.abc import Mapping, Sequence
from typing import Any

from medvision.data.table import LABEL_SEPARATOR
from medvision.evaluation.agreement import AGAINST, GAPS, TOGETHER
from medvision.evaluation.text import ENOUGH_PATIENTS, NO_INTERVAL, SUMMARY, count_text, notes
from medvision.reports.cells import Cell, Table, entry_cell, gap_cell
from medvision.reports.data_sentences import counted

Scores = Mapping[str, Any]

PARTS = {
    "all": "all images",
    "test": "test split",
    "val": "validation split",
    "train": "training split",
    "unused": "unused images",
}
"""The parts that are scored apart, the one that answers the question first."""
MOST_CLASSES = 12
PROBES = {"linear_probe": "linear probe", "nearest_neighbours": "nearest neighbours"}
_AGAINST = {**AGAINST, "accuracy": "accuracy, each cluster named after one class"}
_GAPS = {
    "patient_gap": "same patient minus other patient, same class",
    "class_gap": "same class minus other class, other patient",
}
_UNSURE = {"low": None, "high": None}
_PARTITIONS = {"adjusted_rand": "adjusted Rand index", "ami": "adjusted mutual information", "nmi": AGAINST["nmi"]}


def scored_parts(scores: Scores) -> list[str]:
    """The parts in the order of the page."""
    return [part for part in PARTS if part in scores]


def part_head(part: str, scores: Scores) -> str:
    """`test split, 50 images of 8 patients`."""
    found = scores[part]
    of = "" if found["patients"] == found["n"] else f" of {counted(found['patients'], 'patient')}"
    return f"{PARTS[part]}, {counted(found['n'], 'image')}{of}"


def class_table(part: str, found: Mapping[str, Any]) -> Table | None:
    """Images by cluster and class; None without classes.

    Args:
        part: of the images.
        found: what is told of it in `clusters.json`.
    """
    if "counts" not in found:
        return None
    classes, counts = found["classes"], found["counts"]
    order = sorted(range(len(classes)), key=lambda k: -sum(row[k] for row in counts))
    # The classes of most images; the order stays that of the data set.
    told = sorted(order[:MOST_CLASSES])
    rows: list[tuple[str, list[Cell]]] = []
    for number, (row, name) in enumerate(zip(counts, found["matched"], strict=True), start=1):
        total = sum(row)
        cells: list[Cell] = [(f"{total:,}", [])]
        cells += [(f"{row[k]:,}", [f"{row[k] / total:.0%}"] if total else []) for k in told]
        rows.append((f"cluster {number}" + (f" ({label_text(name)})" if name is not None else ""), cells))
    sums: list[Cell] = [(f"{sum(map(sum, counts)):,}", []), *((f"{sum(r[k] for r in counts):,}", []) for k in told)]
    rest = [f"{len(classes) - len(told)} rarer classes are in clusters.json."] if len(told) < len(classes) else []
    meaning = (
        "In brackets: the class after which the cluster is named for the accuracy. Below a count: its share of the "
        "cluster."
    )
    return Table(
        caption=f"Clusters and classes, {PARTS[part]}",
        heads=["cluster", "images", *(label_text(classes[k]) for k in told)],
        rows=[*rows, ("all", sums)],
        notes=[meaning, *rest],
    )


def label_text(label: str) -> str:
    """Several labels in words.

    >>> label_text("cyst|tear"), label_text("")
    ('cyst, tear', 'none')
    """
    return ", ".join(filter(None, label.split(LABEL_SEPARATOR))) or "none"


def agreement_table(scores: Scores) -> Table | None:
    """How far clusters are classes, a column a part; None without classes."""
    parts = [part for part in scored_parts(scores) if "metrics" in scores[part]]
    if not parts:
        return None
    rows: list[tuple[str, list[Cell]]] = [
        (title, [entry_cell(scores[part]["metrics"][name]) for part in parts]) for name, title in _AGAINST.items()
    ]
    largest: list[Cell] = [
        entry_cell({"value": scores[part]["largest_class"], **_UNSURE, "n": scores[part]["n"]}) for part in parts
    ]
    rows.append(("for comparison: share of the largest class", largest))
    return Table(
        caption="Agreement of clusters and classes",
        heads=["measure", *(part_head(part, scores) for part in parts)],
        rows=rows,
        notes=interval_notes(scores, parts, list(AGAINST)),
    )


def together_table(scores: Scores) -> Table | None:
    """In how many pairs both images are in one cluster, a column a part; None where no patient has several images."""
    parts = [part for part in scored_parts(scores) if has_pairs(scores[part])]
    if not parts:
        return None
    rows: list[tuple[str, list[Cell]]] = [
        (title, [entry_cell(scores[part]["metrics"][name]) for part in parts]) for name, title in TOGETHER.items()
    ]
    rows += [(_GAPS[name], [gap_cell(scores[part]["metrics"][name]) for part in parts]) for name in GAPS]
    return Table(
        caption="Pairs of images in one cluster",
        heads=["pairs of images", *(part_head(part, scores) for part in parts)],
        rows=rows,
        notes=interval_notes(scores, parts, [*TOGETHER, *GAPS]),
    )


def has_pairs(found: Mapping[str, Any]) -> bool:
    """Whether some patient of a part has several images of one class."""
    return "metrics" in found and found["metrics"]["same_patient"]["value"] is not None


def partition_table(part: str, found: Mapping[str, Any]) -> Table:
    """Clusters against classes and against patients, side by side."""
    partitions = found["partitions"]
    rows: list[tuple[str, list[Cell]]] = [
        (title, [entry_cell({"value": value[name], **_UNSURE, "n": found["n"]}) for value in partitions.values()])
        for name, title in _PARTITIONS.items()
    ]
    return Table(
        caption=f"Clusters against {' and '.join(partitions)}, {PARTS[part]}",
        heads=["measure", *(f"{value['groups']} {name}" for name, value in partitions.items())],
        rows=rows,
        notes=["Without an interval. The normalised mutual information grows with the number of groups by itself."],
    )


def interval_notes(scores: Scores, parts: Sequence[str], names: Sequence[str]) -> list[str]:
    """What must be said of the intervals of some parts."""
    few = [
        f"{PARTS[part]} ({scores[part]['patients']})" for part in parts if scores[part]["patients"] < ENOUGH_PATIENTS
    ]
    lines = (
        [f"Fewer than {ENOUGH_PATIENTS} patients, interpret the intervals with care: {', '.join(few)}."] if few else []
    )
    entries = [scores[part]["metrics"][name] for part in parts for name in names]
    without = any(entry["low"] is None and entry["value"] is not None for entry in entries)
    return [*lines, NO_INTERVAL] if without else lines


def probe_tables(metrics: Mapping[str, Any]) -> list[Table]:
    """What the probes know of the classes, a table a level and a column a probe."""
    levels = list(next(iter(metrics.values()), {}))
    tables = []
    for level in levels:
        found = {probe: by_level[level] for probe, by_level in metrics.items()}
        first = next(iter(found.values()))
        names = [name for name in SUMMARY if all(name in entries for entries in found.values())]
        rows: list[tuple[str, list[Cell]]] = [
            (SUMMARY[name], [entry_cell(entries[name]) for entries in found.values()]) for name in names
        ]
        tables.append(
            Table(
                caption=f"Probes, per {level}: {count_text(first, level)}",
                heads=["metric", *(PROBES[probe] for probe in found)],
                rows=rows,
                notes=notes({level: first}),
            )
        )
    return tables


def size_table(clusters: Sequence[Mapping[str, Any]]) -> Table:
    """Images and patients of each cluster."""
    rows: list[tuple[str, list[Cell]]] = [
        (
            f"cluster {row['cluster']}",
            [(f"{row['images']:,}", []), (f"{row['patients']:,}", []), (f"{row['distance']:.2f}", [])],
        )
        for row in clusters
    ]
    heads = ["cluster", "images", "patients", "mean distance to the centre"]
    return Table(caption="Sizes of the clusters", heads=heads, rows=rows)
