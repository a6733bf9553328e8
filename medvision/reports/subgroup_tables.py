"""What stands in a report of the subgroups: how good the predictions are in each, and how far from all others."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from medvision.evaluation.mask_text import MASK_BY_CLASS, MASK_SUMMARY
from medvision.evaluation.text import BY_CLASS, ENOUGH_PATIENTS, FEW, SUMMARY, UNITS
from medvision.reports.cells import Cell, Table, entry_cell, gap_cell
from medvision.reports.data_sentences import counted, listed
from medvision.reports.page_tables import MOST_ROWS, cut_note

Column = Mapping[str, Any]

MOST_COLUMNS = 20
# Beside the headline, as many as fit on paper.
MOST_BESIDE = 4
_OF_POSITIVE = ("sensitivity", "specificity", "precision", "npv")
_BESIDE = ("accuracy", "balanced_accuracy", "f1", "auroc", "brier", "iou", "hd95", "assd")


@dataclass(frozen=True, kw_only=True)
class SubgroupPart:
    """One column of metadata.

    Args:
        column: its name.
        sentences: the worst group, the smallest, and who is left out.
        table: the headline metric with its gap to all others, a row a group; None where no group is scored.
        every: all metrics, a row a metric; None where no group is scored.
    """

    column: str
    sentences: list[str]
    table: Table | None
    every: Table | None


@dataclass(frozen=True, kw_only=True)
class SubgroupLevel:
    """All columns of one level.

    Args:
        parts: the columns that are shown, twenty at most.
        shared: sentences that hold for all of them.
        more: how many columns are left out.
    """

    parts: list[SubgroupPart]
    shared: list[str]
    more: int


def subgroup_level(
    columns: Sequence[Column], level: str, classes: Sequence[str], mask_classes: Sequence[str] = ()
) -> SubgroupLevel:
    """The columns of one level of `subgroups.json`.

    Args:
        columns: of one split and level.
        level: image, study or patient.
        classes: of the labels, the second of two the positive one; empty where there are only masks.
        mask_classes: of the masks, the background first; empty where there are none.
    """
    shown = columns[:MOST_COLUMNS]
    scored = [column["notes"] for column in shown if column["groups"]]
    shared = [note for note in scored[0] if all(note in notes for notes in scored)] if len(scored) > 1 else []
    parts = [
        SubgroupPart(
            column=column["column"],
            sentences=[note for note in _sentences(column, level) if note not in shared],
            table=_gap_table(column, level, classes) if column["groups"] else None,
            every=_every_table(column, level, [*classes, *mask_classes[1:]]) if column["groups"] else None,
        )
        for column in shown
    ]
    return SubgroupLevel(parts=parts, shared=shared, more=len(columns) - len(shown))


def _lowest(column: Column) -> list[str]:
    """The groups with the lowest headline metric; empty where fewer than two have a value."""
    values = {group["name"]: group["metrics"][column["metric"]]["value"] for group in column["groups"]}
    known = {name: value for name, value in values.items() if value is not None}
    return [name for name, value in known.items() if value == min(known.values())] if len(known) > 1 else []


def metric_titles(metrics: Mapping[str, Any], classes: Sequence[str]) -> dict[str, str]:
    """The entries of a level that have a value, with what they are called; those of single classes last.

    Args:
        metrics: {metric: entry} of a level.
        classes: whose metrics are looked for.
    """
    titles = {**SUMMARY, **MASK_SUMMARY}
    for name in classes:
        titles |= {f"{metric}_{name}": f"{title}, {name}" for metric, title in {**MASK_BY_CLASS, **BY_CLASS}.items()}
    return {name: _with_unit(title, metrics[name]) for name, title in titles.items() if "low" in metrics.get(name, {})}


def _with_unit(title: str, entry: Mapping[str, Any]) -> str:
    return f"{title} ({entry['unit']})" if "unit" in entry else title


def _sentences(column: Column, level: str) -> list[str]:
    title = {**SUMMARY, **MASK_SUMMARY}.get(column["metric"], column["metric"])
    told, lowest = [], _lowest(column)
    if len(lowest) > 1:
        told.append(f"No group is the worst: the lowest {title} is that of {listed(lowest)} alike.")
    elif lowest:
        group = next(group for group in column["groups"] if group["name"] == lowest[0])
        told.append(f"The worst group is {group['name']}, with the lowest {title} ({_size(group, level)}).")
    elif column["groups"]:
        told.append("No group is named the worst: fewer than two have a value.")
    if column["smallest"] is not None:
        smallest = column["smallest"]
        told.append(f"The smallest group that is scored is {smallest['name']} ({_size(smallest, level)}).")
    if column["left_out"]:
        left = [f"{group['name']} ({_size(group, level)})" for group in column["left_out"]]
        told.append(f"Too small to be scored, and among the others of every gap: {listed(left)}.")
    if column["unknown"]:
        told.append(f"Not known, and in no group: {_size(column['unknown'], level)}.")
    return [*told, *column["notes"]]


def gap_entry(column: Column, group: Mapping[str, Any]) -> Mapping[str, Any]:
    """The gap of a group to all others, with the number of cases on the smaller side as its `n`.

    Args:
        column: one of `subgroups.json`.
        group: of its groups.
    """
    others = sum(one["n"] for one in (*column["groups"], *column["left_out"])) - group["n"]
    return {**(group.get("gap") or {}), "n": min(group["n"], others)}


def _size(group: Mapping[str, Any], level: str) -> str:
    n, patients = group["n"], group["patients"]
    return counted(n, level) if level == "patient" else f"{counted(n, level)} of {counted(patients, 'patient')}"


def _gap_table(column: Column, level: str, classes: Sequence[str]) -> Table:
    headline, groups = column["metric"], column["groups"]
    titles = metric_titles(groups[0]["metrics"], classes)
    beside = _beside(titles, headline, classes)
    few = [group["name"] for group in groups if group["patients"] < ENOUGH_PATIENTS]
    rows: list[tuple[str, list[Cell]]] = []
    for group in groups:
        title = f"{group['name']} (worst)" if [group["name"]] == _lowest(column) else group["name"]
        counts: list[Cell] = [(f"{group['n']:,}", [])] if level != "patient" else []
        counts.append((f"{group['patients']:,}{FEW if group['name'] in few else ''}", []))
        compared = [entry_cell(group["metrics"][headline]), gap_cell(gap_entry(column, group))]
        rows.append((title, [*counts, *compared, *(entry_cell(group["metrics"][name]) for name in beside)]))
    told = titles[headline] if headline in titles else str(headline)
    units = [UNITS[level]] if level != "patient" else []
    return Table(
        caption=f"{told[:1].upper()}{told[1:]} by {column['column']}, per {level}",
        heads=[column["column"], *units, "patients", told, "gap to the others", *(titles[name] for name in beside)],
        rows=rows,
        notes=[f"{FEW} Fewer than {ENOUGH_PATIENTS} patients: interpret with care."] if few else [],
    )


def _beside(titles: Mapping[str, str], headline: str, classes: Sequence[str]) -> list[str]:
    """What else stands beside the headline: of two classes what is said of the second, then what there is."""
    positive = [f"{metric}_{classes[1]}" for metric in _OF_POSITIVE] if len(classes) == 2 else []
    return [name for name in (*positive, *_BESIDE) if name in titles and name != headline][:MOST_BESIDE]


def _every_table(column: Column, level: str, classes: Sequence[str]) -> Table:
    groups = column["groups"]
    titles = metric_titles(groups[0]["metrics"], classes)
    shown = list(titles.items())[:MOST_ROWS]
    rows = [(title, [entry_cell(group["metrics"][name]) for group in groups]) for name, title in shown]
    return Table(
        caption=f"Every metric by {column['column']}, per {level}",
        heads=["metric", *(f"{group['name']} ({group['n']:,})" for group in groups)],
        rows=rows,
        notes=cut_note(len(titles), "subgroups.json"),
    )
