"""The figures of a report, in the order of the page."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from medvision.evaluation.cases import cases_by_level
from medvision.evaluation.decision import UNCHANGED, read_decision
from medvision.evaluation.folds import first_repeat
from medvision.reports.curve_figures import TOP, net_benefit_figure, pr_figure, reliability_figure, roc_figure
from medvision.reports.figures import confusion_figure, history_figures
from medvision.reports.fold_figures import fold_figure, fold_history_figures
from medvision.reports.inputs import ReportInputs
from medvision.reports.mask_figures import dice_figure, distance_figure
from medvision.reports.mask_tables import MASKS
from medvision.reports.subgroup_figures import subgroup_figure
from medvision.reports.subgroup_tables import MOST_COLUMNS

# A square for each pair of classes: of more it would be the largest thing in the page, and tell nothing.
MOST_CONFUSED = 60


def report_figures(inputs: ReportInputs) -> dict[str, Figure]:
    """The figures by name, those of a level ending with its name, those of a subgroup with its number from 1."""
    figures: dict[str, Figure | None] = {}
    if inputs.history is not None and len(inputs.history):
        curves = history_figures(inputs.history, inputs.best_epoch)
        figures |= {f"history_{name}": figure for name, figure in curves.items()}
    metrics = inputs.metrics[inputs.answering]
    if inputs.folds is not None:
        figures |= {f"history_{name}": one for name, one in fold_history_figures(inputs.folds.parts).items()}
        figures |= {f"folds_{level}": fold_figure(entries, inputs.folds, level) for level, entries in metrics.items()}
    for level, entries in metrics.items():
        matrix = entries.get("confusion_matrix")
        if matrix and len(matrix["classes"]) <= MOST_CONFUSED:
            figures[f"confusion_matrix_{level}"] = confusion_figure(matrix["value"], matrix["classes"])
    rows = inputs.predictions[inputs.predictions["split"] == inputs.answering].reset_index(drop=True)
    rows = first_repeat(rows)
    figures |= _curve_figures(inputs, rows)
    for level, columns in (inputs.subgroups.get(inputs.answering) or {}).items():
        for number, column in enumerate(columns[:MOST_COLUMNS], start=1):
            overall = metrics.get(level, {}).get(column["metric"])
            figures[f"subgroup_{level}_{number}"] = subgroup_figure(column, overall)
    if any(MASKS in entries for entries in metrics.values()):
        figures |= {"dice": dice_figure(rows, inputs.mask_classes), "hd95": distance_figure(rows, inputs.mask_classes)}
    return {name: figure for name, figure in figures.items() if figure is not None}


def _curve_figures(inputs: ReportInputs, rows: pd.DataFrame) -> dict[str, Figure | None]:
    figures: dict[str, Figure | None] = {}
    found = inputs.curves.get(inputs.answering) or {}
    predicted = _predicted(inputs, rows) if found else {}
    for level, points in found.items():
        entries = inputs.metrics[inputs.answering].get(level, {})
        figures[f"roc_{level}"] = roc_figure(points, entries)
        figures[f"pr_{level}"] = pr_figure(points, entries)
        figures[f"reliability_{level}"] = reliability_figure(points, predicted.get(level))
        figures[f"net_benefit_{level}"] = net_benefit_figure(points)
    return figures


def _predicted(inputs: ReportInputs, rows: pd.DataFrame) -> dict[str, Mapping[str, Sequence[float]]]:
    """{level: {class or `top`: the probabilities of the cases}}, for histograms."""
    decision = UNCHANGED if inputs.decision is None else read_decision(inputs.decision)
    levels = cases_by_level(rows, inputs.classes, multilabel=inputs.multilabel, decision=decision)
    found: dict[str, Mapping[str, Any]] = {}
    for level, cases in levels.items():
        by_class = dict(zip(inputs.classes, cases.probabilities.T, strict=True))
        found[level] = {**by_class, TOP: cases.probabilities.max(axis=1)}
    return found
