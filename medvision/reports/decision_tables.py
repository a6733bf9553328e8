"""What stands in a report of the operating point and of calibration."""

from collections.abc import Mapping, Sequence
from typing import Any

from medvision.evaluation.decision import Decisions, FoldDecisions, read_decision
from medvision.evaluation.operating_point import TARGET
from medvision.evaluation.text import ENOUGH_EVENTS, FEW, SUMMARY
from medvision.reports.cells import Cell, Entry, Table, entry_cell
from medvision.reports.data_sentences import counted
from medvision.reports.page_tables import MOST_ROWS, cut_note, label_half
from medvision.reports.result_sentences import SPLIT_NAMES
from medvision.reports.thresholds import (
    any_decision,
    decision_notes,
    known_threshold,
    range_text,
    source_counts,
    threshold_text,
)

Levels = Mapping[str, Mapping[str, Any]]

AT_THRESHOLD = {"sensitivity": "sensitivity", "specificity": "specificity", "precision": "PPV", "npv": "NPV"}
CALIBRATION = ("log_loss", "brier", "ece", "calibration_slope", "calibration_intercept")
_RULES = {"youden": "the largest sum of sensitivity and specificity (Youden's index)", "f1": "the largest F1 score"}
_MEANING = (
    "A perfect model has a slope of 1, an intercept of 0 and a calibration error (ECE) of 0. A slope below 1: the "
    "probabilities are too extreme. An intercept above 0: they are too low. For log loss and Brier score, less is "
    "better."
)


def decided_classes(classes: Sequence[str], *, multilabel: bool) -> list[str]:
    """The classes that have a threshold: each of several labels, the second of two, none of three or more."""
    if multilabel:
        return list(classes)
    return list(classes[1:]) if len(classes) == 2 else []


def decision_sentences(
    decision: Mapping[str, Any], classes: Sequence[str], answering: str, *, multilabel: bool
) -> list[str]:
    """By which rule thresholds were found, on which split of how many patients, and what must be said of it.

    Args:
        decision: `decision.json`.
        classes: of the labels, in order.
        answering: the split whose results are shown.
        multilabel: several labels an image.
    """
    known = read_decision(decision)
    if not decided_classes(classes, multilabel=multilabel):
        return ["Of these exclusive classes the most probable one is the answer: there is no threshold to choose."]
    notes = decision_notes(known, temperature=False)
    rule = any_decision(known).rule
    if not isinstance(rule, str):
        return [f"The threshold {threshold_text(rule)} was set beforehand, not chosen from data.", *notes]
    target = TARGET.fullmatch(rule)
    sought = _RULES.get(rule, rule)
    if target is not None:
        other = "specificity" if target[1] == "sensitivity" else "sensitivity"
        sought = f"a {target[1]} of at least {target[2]} with the largest {other}"
    first = "Each fold has a threshold of its own:" if isinstance(known, FoldDecisions) else "The threshold is"
    return [f"{first} that of {sought}, {_source(known, answering)}.", *notes]


def temperature_text(decision: Mapping[str, Any], answering: str) -> str:
    """What was done to the probabilities before they were scored.

    Args:
        decision: `decision.json`.
        answering: the split whose results are shown.
    """
    known = read_decision(decision)
    if isinstance(known, FoldDecisions):
        return _temperatures_text(known, answering)
    if known.temperature == 1:
        why = next((note.partition(": ")[2] for note in decision_notes(known, temperature=True)), "")
        return f"The probabilities are those of the network: temperature 1{f', as {why}' if why else ''}."
    return (
        f"The logits of the network are divided by the temperature {known.temperature:.3f}, "
        f"{_source(known, answering)}, and drawn towards 1 where "
        "patients are few. All probabilities in this report are those after it."
    )


def _temperatures_text(known: FoldDecisions, answering: str) -> str:
    notes = " ".join(f"{note}." for note in decision_notes(known, temperature=True))
    temperatures = [one.temperature for one in known.by_fold.values()]
    if set(temperatures) == {1}:
        return f"The probabilities are those of the networks: temperature 1 in every fold. {notes}".rstrip()
    return (
        f"The logits of each fold's network are divided by a temperature of its own, "
        f"{range_text(temperatures, '{:.3f}')}, {_source(known, answering)}, and drawn towards 1 where "
        f"patients are few. All probabilities in this report are those after it. {notes}"
    ).rstrip()


def _source(decision: Decisions, answering: str) -> str:
    if isinstance(decision, FoldDecisions):
        of = source_counts(decision)
        return f"chosen on its validation images{f' ({of})' if of else ''} and applied to its test images as it was"
    found = decision.chosen_on
    if found is None:
        return "whose source is not known"
    of = f"{counted(found['n'], 'image')} of {counted(found['patients'], 'patient')}"
    where = f"chosen on the {SPLIT_NAMES[found['split']]} split ({of})"
    if found["split"] == answering:
        return f"{where}, which is also the split that is scored here: the results are too good"
    return f"{where} and applied to the {SPLIT_NAMES[answering]} split as it was"


def operating_table(
    metrics: Levels, decision: Mapping[str, Any], classes: Sequence[str], split: str, *, multilabel: bool
) -> Table | None:
    """Sensitivity, specificity and predictive values at the thresholds, a row a level and class.

    Args:
        metrics: {level: {metric: entry}} of the split.
        decision: `decision.json`.
        classes: of the labels, in order.
        split: what the rows are of in words, such as `test split`, for the caption.
        multilabel: several labels an image.

    Returns:
        None where no class has a threshold.
    """
    names = decided_classes(classes, multilabel=multilabel)
    known = read_decision(decision)
    rows: list[tuple[str, list[Cell]]] = []
    few: list[str] = []
    for level, entries in label_half(metrics).items():
        for name in names[:MOST_ROWS]:
            shown, patients = _cases_with(entries, name)
            rare = patients is not None and patients < ENOUGH_EVENTS
            few += [f"{name} per {level} ({patients})"] if rare else []
            below = counted(patients, "patient") if patients is not None and patients != shown else ""
            cells = [
                (known_threshold(known, level, name), []),
                (f"{shown:,}{FEW if rare else ''}", [below] if below else []),
                *(entry_cell(entries[f"{metric}_{name}"]) for metric in AT_THRESHOLD if f"{metric}_{name}" in entries),
            ]
            rows.append((f"{name}, per {level}", cells))
    if not rows:
        return None
    first = next(iter(label_half(metrics).values()))
    heads = [title for metric, title in AT_THRESHOLD.items() if f"{metric}_{names[0]}" in first]
    notes = cut_note(len(names), "decision.json")
    if few:
        notes.append(f"{FEW} Fewer than {ENOUGH_EVENTS} patients have the class: {', '.join(few)}.")
    return Table(
        caption=f"Operating point on the {split}",
        heads=["class and level", "threshold", "have the class", *heads],
        rows=rows,
        notes=[*notes, "PPV and NPV hold for the share of the class in these images, not for another."],
    )


def _cases_with(entries: Mapping[str, Entry], name: str) -> tuple[int, int | None]:
    """How many cases, and patients, have a class."""
    counts = entries["label_counts" if "label_counts" in entries else "confusion_matrix"]
    k = counts["classes"].index(name)
    cases = counts["value"][k]
    n = cases["tp"] + cases["fn"] if isinstance(cases, Mapping) else sum(cases)
    return n, counts["class_patients"][k] if "class_patients" in counts else None


def calibration_table(metrics: Levels, split: str) -> Table | None:
    """How well the probabilities hold, before and after the temperature.

    Args:
        metrics: {level: {metric: entry}} of the split.
        split: what the rows are of in words, such as `test split`, for the caption.

    Returns:
        A row a measure, a column a level or, where there is a temperature, two; None where nothing was measured.
    """
    levels = label_half(metrics)
    first = next(iter(levels.values()), {})
    names = [name for name in first if name.startswith(CALIBRATION) and "low" in first[name]]
    if not any(name.startswith("brier") for name in names):
        return None
    heads = ["measure"]
    columns: list[Mapping[str, Entry]] = []
    for level, entries in levels.items():
        before = entries.get("uncalibrated")
        if before:
            heads.append(f"{level}, before")
            columns.append(before)
        heads.append(f"{level}, after" if before else level)
        columns.append(entries)
    rows = [(_title(name), [entry_cell(column[name]) for column in columns]) for name in names[:MOST_ROWS]]
    return Table(
        caption=f"Calibration on the {split}",
        heads=heads,
        rows=rows,
        notes=[*cut_note(len(names), "metrics.json"), _MEANING],
    )


def _title(name: str) -> str:
    """The measure, and of which class."""
    measure = next(measure for measure in CALIBRATION if name.startswith(measure))
    of = name.removeprefix(measure).removeprefix("_")
    return f"{SUMMARY[measure]}: {of}" if of else SUMMARY[measure]
