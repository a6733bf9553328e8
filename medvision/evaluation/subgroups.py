"""Every metric by groups of patients or images, with the gap of each group to all others, as in `subgroups.json`."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from medvision.evaluation.cases import patient_numbers
from medvision.evaluation.folds import Decisions, first_repeat
from medvision.evaluation.groups import Grouping, find_groupings
from medvision.evaluation.headline import Side
from medvision.evaluation.intervals import Entry, Method, interval_entry, resample
from medvision.evaluation.levels import Level, read_levels, unit_names
from medvision.evaluation.mask_text import MASK_SUMMARY
from medvision.evaluation.operating_point import UNCHANGED
from medvision.evaluation.text import ENOUGH_PATIENTS, SUMMARY

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Column = dict[str, Any]

ENOUGH_EVENTS = 10
# Share of 95 % intervals that leave out what they estimate.
OUTSIDE = 0.05
# From here on it is worth saying that chance alone makes gaps.
MANY_GAPS = 3


def subgroups(
    table: pd.DataFrame,
    classes: Sequence[str],
    mask_classes: Sequence[str] = (),
    *,
    multilabel: bool = False,
    columns: Sequence[str] | None = None,
    smallest: int = 5,
    resamples: int = 2000,
    seed: int = 0,
    interval: Method = "bca",
    decision: Decisions = UNCHANGED,
) -> dict[str, list[Column]]:
    """How good the predictions of one split are in each group of each metadata column.

    The metrics of a group are those of its cases alone. The gap is the headline metric of the group minus that of the
    cases of all other groups together, small groups among them, over the classes that both sides have. Its interval
    draws the patients of the whole split, so that both sides of a resample hold the same draws of patients, also of
    those who are in several groups. A study or patient is in the group that all its images with a known value are in;
    at a level where a column differs within one, the column is left out. Of a repeated cross-validation the first
    repeat is scored.

    Args:
        table: the rows of one split of the prediction table, calibrated and decided.
        classes: of the labels, in order; empty where there are none.
        mask_classes: of the masks, the background first; empty where there are none.
        multilabel: several labels an image.
        columns: by which to group; None to find them, see `find_groupings`, as far as one group is large enough.
        smallest: fewest patients of a group that is scored.
        resamples: of the bootstrap over patients; 0 for no intervals.
        seed: of the bootstrap.
        interval: how intervals come from the resamples.
        decision: what has been applied to the table.

    Returns:
        {level: [{column; metric, the headline: `auroc`, `balanced_accuracy` or `dice`; groups: [{name, n, patients,
        metrics: {metric: entry}, gap: {value, low, high}}]; worst, the name of the group with the lowest headline
        metric, None where it is not one of several; smallest, {name, n, patients} of the smallest scored group, or
        None; left_out: [{name, n, patients}]; unknown: {n, patients} or None; notes}]}.

    Raises:
        DataError: the table is not one that can be scored, or a column is not there.
    """
    table = first_repeat(table)
    levels = read_levels(table, classes, mask_classes, multilabel=multilabel, decision=decision)
    groupings = find_groupings(table, columns, classes, mask_classes)
    if columns is None:
        patients = patient_numbers(table)
        groupings = [one for one in groupings if _largest(one, patients) >= smallest]
    found: dict[str, list[Column]] = {}
    for name, level in levels.items():
        named = [(one, unit_names(one.names, level.units)) for one in groupings]
        parts = [_Parts(one, names, level, smallest) for one, names in named if names is not None]
        found[name] = _score_level(parts, level, resamples=resamples, seed=seed, interval=interval)
    return found


def _largest(grouping: Grouping, patients: np.ndarray) -> int:
    return max(len(np.unique(patients[grouping.names == name])) for name in grouping.order)


@dataclass(frozen=True, eq=False)
class _Parts:
    """The cases of a level in the groups of a column.

    Args:
        grouping: the column.
        names: (m,) object, the group of each case, or None.
        level: of m cases.
        smallest: fewest patients of a group that is scored.
    """

    grouping: Grouping
    names: np.ndarray
    level: Level
    smallest: int

    @cached_property
    def known(self) -> Bools:
        """(m,) bool, the cases in any group."""
        return np.array([name is not None for name in self.names], dtype=bool)

    @cached_property
    def sizes(self) -> dict[str, dict[str, Any]]:
        """{name: {name, n, patients}} of all groups, in their order."""
        return {name: {"name": name, **self.count(self.names == name)} for name in self.grouping.order}

    @cached_property
    def scored(self) -> list[str]:
        """The groups that are large enough."""
        return [name for name, size in self.sizes.items() if size["patients"] >= self.smallest]

    @cached_property
    def gaps(self) -> dict[str, "_Gap"]:
        """Of the groups that are scored; a group with nobody beside it has none."""
        found = {}
        for name in self.scored:
            inside = self.names == name
            others = self.known & ~inside
            if others.any():
                found[name] = _Gap(inside, others, self.level.side(inside), self.level.side(others))
        return found

    def count(self, rows: Bools) -> dict[str, int]:
        """How many cases and patients some of the cases are, (m,) bool."""
        return {"n": int(rows.sum()), "patients": len(np.unique(self.level.groups[rows]))}


@dataclass(frozen=True, eq=False)
class _Gap:
    """The headline metric of a group minus that of the others.

    Args:
        inside: (m,) bool, the cases of the group.
        others: (m,) bool, those of all other groups.
        group: the metric of the former.
        rest: the metric of the latter.
    """

    inside: Bools
    others: Bools
    group: Side
    rest: Side

    @cached_property
    def classes(self) -> tuple[int, ...]:
        """Those that both sides have; means over others would not be comparable."""
        return tuple(k for k in self.group.defined if k in self.rest.defined)

    @property
    def alike(self) -> bool:
        """Whether both sides have the same classes."""
        return self.group.defined == self.rest.defined

    def draw(self, weights: Floats) -> Floats:
        """Weights (m, R) -> (R,) float64."""
        group = self.group.score(weights[self.inside], self.classes)
        return group - self.rest.score(weights[self.others], self.classes)

    @cached_property
    def patients(self) -> int:
        """How many patients the gap depends on: those of the less known side."""
        return min(self.group.patients(self.classes), self.rest.patients(self.classes))


def _score_level(parts: Sequence[_Parts], level: Level, *, resamples: int, seed: int, interval: Method) -> list[Column]:
    gaps = _score_gaps(parts, level, resamples=resamples, seed=seed, interval=interval)
    compared = sum(_independent(part, entries) for part, entries in zip(parts, gaps, strict=True))
    columns = []
    for part, entries in zip(parts, gaps, strict=True):
        groups = []
        for name in part.scored:
            metrics = level.metrics(part.names == name, resamples=resamples, seed=seed, interval=interval)
            groups.append({**part.sizes[name], "metrics": metrics, "gap": entries[name]})
        columns.append(_column(part, groups, compared=compared))
    return columns


def _score_gaps(
    parts: Sequence[_Parts], level: Level, *, resamples: int, seed: int, interval: Method
) -> list[dict[str, Entry]]:
    """{group: entry} of each column; all gaps of a level are of the same resamples."""
    compared = {f"{k} {name}": gap for k, part in enumerate(parts) for name, gap in part.gaps.items() if gap.classes}

    def score(weights: Floats) -> dict[str, Floats]:
        return {key: gap.draw(weights) for key, gap in compared.items()}

    values = score(np.ones((len(level.groups), 1)))
    resampled = resample(score, level.groups, resamples=resamples, seed=seed, method=interval) if compared else None
    entries = {
        # One patient alone on a side says nothing about others.
        key: interval_entry(
            key, float(value[0]), resampled if compared[key].patients > 1 else None, compared[key].patients
        )
        for key, value in values.items()
    }
    undefined = interval_entry("", np.nan, None, 0)
    return [{name: entries.get(f"{k} {name}", undefined) for name in part.scored} for k, part in enumerate(parts)]


def _independent(part: _Parts, entries: dict[str, Entry]) -> int:
    """How many intervals of gaps there are; of two groups one is the other with another sign."""
    shown = sum(entry["low"] is not None for entry in entries.values())
    return 1 if shown == 2 == len(part.sizes) else shown


def _column(part: _Parts, groups: list[dict[str, Any]], compared: int) -> Column:
    metric = part.level.headline
    values = {group["name"]: group["metrics"][metric]["value"] for group in groups}
    defined = {name: value for name, value in values.items() if value is not None}
    lowest = [name for name, value in defined.items() if value == min(defined.values())]
    sizes = [part.sizes[name] for name in part.scored]
    unknown = part.count(~part.known)
    return {
        "column": part.grouping.column,
        "metric": metric,
        "groups": groups,
        "worst": lowest[0] if len(lowest) == 1 < len(defined) else None,
        "smallest": min(sizes, key=lambda size: (size["patients"], size["n"]), default=None),
        "left_out": [size for name, size in part.sizes.items() if name not in part.scored],
        "unknown": unknown if unknown["n"] else None,
        "notes": [*part.grouping.notes, *_notes(part, values, compared)],
    }


def _notes(part: _Parts, values: dict[str, float | None], compared: int) -> list[str]:
    """What a reader of the groups of a column must know."""
    if not part.scored:
        return [f"No group has {part.smallest} patients, so none is scored."]
    title = {**SUMMARY, **MASK_SUMMARY}[part.level.headline]
    lines = []
    undefined = [name for name, value in values.items() if value is None]
    if undefined:
        why = (
            "no true mask shows a class" if part.level.labels is None else "no case shows the class, or every one does"
        )
        lines.append(f"No {title} in {', '.join(undefined)}: {why}.")
    few = [f"{name} ({n})" for name in part.scored if (n := part.sizes[name]["patients"]) < ENOUGH_PATIENTS]
    if few:
        lines.append(f"Fewer than {ENOUGH_PATIENTS} patients, so interpret with care: {', '.join(few)}.")
    rare = [f"{name} ({n})" for name, n in _events(part).items() if n < ENOUGH_EVENTS]
    if rare:
        lines.append(
            f"Fewer than {ENOUGH_EVENTS} patients on the rarer side of what the {title} compares, so interpret with "
            f"care: {', '.join(rare)}."
        )
    other = [name for name, gap in part.gaps.items() if gap.classes and not gap.alike]
    if other:
        lines.append(
            f"Other classes occur in {', '.join(other)} than in the other groups; the gap is over those in both."
        )
    if compared >= MANY_GAPS:
        lines.append(
            f"{compared} gaps are looked at: about {compared * OUTSIDE:.1f} of their 95 % intervals leave out 0 by "
            "chance where no group differs from the others."
        )
    return lines


def _events(part: _Parts) -> dict[str, int]:
    """How many patients the headline metric of each group depends on, where these are not all."""
    counts = {}
    for name in part.scored:
        side = part.gaps[name].group if name in part.gaps else part.level.side(part.names == name)
        if side.defined and (n := side.patients(side.defined)) < part.sizes[name]["patients"]:
            counts[name] = n
    return counts
