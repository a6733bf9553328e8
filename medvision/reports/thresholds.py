"""Thresholds in words, of one network or of the networks of all folds, and what could not be chosen as asked."""

from collections.abc import Mapping, Sequence
from typing import Any

from medvision.evaluation.decision import Decision, Decisions, FoldDecisions
from medvision.evaluation.folds import thresholds_by_fold
from medvision.reports.data_sentences import listed

MOST_NAMED = 10


def any_decision(decision: Decisions) -> Decision:
    """The one decision, or that of the first fold: rule and aggregate are settings, the same in every fold."""
    return next(iter(decision.by_fold.values())) if isinstance(decision, FoldDecisions) else decision


def threshold_text(value: float) -> str:
    """A threshold in three digits; more where it would become 1."""
    return f"{value:.3g}" if value < 0.9995 else f"{value:.7g}"


def range_text(values: Sequence[float], form: str | None = None) -> str:
    """`0.31 to 0.62`; one value where both ends are written the same.

    Args:
        values: one or more.
        form: of a number, such as `{:.3f}`; None for that of a threshold.

    >>> range_text([0.62, 0.31]), range_text([0.5, 0.5])
    ('0.31 to 0.62', '0.5')
    """
    low, high = (threshold_text(end) if form is None else form.format(end) for end in (min(values), max(values)))
    return low if low == high else f"{low} to {high}"


def known_threshold(decision: Decisions, level: str, name: str) -> str:
    """The threshold of a class, or the range of those of the folds."""
    found = thresholds_by_fold(decision, level, name)
    return range_text([found["threshold"]] if found["threshold"] is not None else [*found["thresholds"].values()])


def point_thresholds(point: Mapping[str, Any]) -> list[float]:
    """The thresholds of an operating point in `curves.json`: one, one a fold where folds differ, or none."""
    one = point.get("threshold")
    return list((point.get("thresholds") or {}).values()) if one is None else [one]


def point_text(point: Mapping[str, Any]) -> str:
    """`operating point, threshold 0.42`; with the range of thresholds where folds differ.

    >>> point_text({"threshold": None, "thresholds": {"0": 0.3, "1": 0.5}})
    'operating point, thresholds 0.3 to 0.5'
    """
    thresholds = point_thresholds(point)
    plural = "s" if len(thresholds) > 1 else ""
    return "operating point" + (f", threshold{plural} {range_text(thresholds)}" if thresholds else "")


def source_counts(decision: FoldDecisions) -> str | None:
    """How many validation images of how many patients the folds have chosen on; None where that is not known."""
    found = [one.chosen_on for one in decision.by_fold.values() if one.chosen_on]
    if not found:
        return None
    images, patients = ([one[key] for one in found] for key in ("n", "patients"))
    return f"{range_text(images, '{:,}')} images of {range_text(patients, '{:,}')} patients a fold"


def decision_notes(decision: Decisions, *, temperature: bool) -> list[str]:
    """What could not be chosen as asked, of folds with the folds of which it is so.

    Args:
        decision: of one network, or of the networks of folds.
        temperature: the notes of temperatures, or those of thresholds.
    """
    if isinstance(decision, Decision):
        return [note for note in decision.notes if note.startswith("temperature") == temperature]
    folds: dict[str, list[str]] = {}
    for fold, one in decision.by_fold.items():
        for note in decision_notes(one, temperature=temperature):
            folds.setdefault(note, []).append(fold.replace("-", " "))
    return [f"In {_named(names)}: {note}" for note, names in folds.items()]


def _named(folds: Sequence[str]) -> str:
    names = [name if "fold" in name else f"fold {name}" for name in folds]
    return listed(names) if len(names) <= MOST_NAMED else f"{len(names)} folds"
