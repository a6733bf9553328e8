"""From the files of a run folder to its figures and `report.html`, again at any time and without a model."""

from pathlib import Path
from typing import Any

import pandas as pd

from medvision.config.yaml_file import read_values
from medvision.data.table import LABEL_SEPARATOR
from medvision.reports.figures import save_figure
from medvision.reports.fold_inputs import TESTED, add_fold_summary, is_cross_validation, once_tested, read_folds
from medvision.reports.inputs import ReportInputs
from medvision.reports.page import report_page
from medvision.reports.page_figures import report_figures
from medvision.runs import RunFolder, read_json, read_table, read_text, reads_run, replace_text


def read_report_inputs(run: RunFolder) -> ReportInputs:
    """Everything a report tells, read from the run folder; what an older run does not have is left out.

    Of a cross-validation the tables are those of all its folds together.

    Raises:
        RunError: the run was not evaluated yet.
    """
    text = read_text(run.experiment)
    environment = read_json(run.environment)
    data = environment["data"]
    experiment = read_values(run.experiment)
    predictions = read_table(run.predictions)
    metrics = read_json(run.metrics)
    _add_class_patients(metrics, predictions)
    split, folds = read_table(run.split), None
    if is_cross_validation(run):
        predictions, split = predictions.assign(split=TESTED), once_tested(split)
        folds = read_folds(run, experiment, predictions, split)
        add_fold_summary(metrics[TESTED], folds)
    return ReportInputs(
        folder=run.path.name,
        experiment=experiment,
        experiment_text=text,
        environment=environment,
        split=split,
        predictions=predictions,
        metrics=metrics,
        classes=data["classes"],
        # Runs from before there were masks do not tell.
        mask_classes=data.get("mask_classes", []),
        multilabel=data["multilabel"],
        history=read_table(run.history) if run.history.is_file() else None,
        simulated=data["simulated"],
        citation=data["citation"],
        licence=data["licence"],
        url=data["url"],
        skipped=len(read_table(run.skipped)) if run.skipped.is_file() else 0,
        decision=_read_or(run.decision, None),
        curves=_read_or(run.curves, {}),
        subgroups=_read_or(run.subgroups, {}),
        cases=[_find_pictures(run, case) for case in _read_or(run.cases, [])],
        sheet=_if_there(run.training_batch),
        panels=_if_there(run.panels),
        animations=[path for path in (run.animation_webp, run.animation_gif) if path.is_file()],
        folds=folds,
        selection=_read_or(run.selection, None),
    )


def _read_or(path: Path, absent: Any) -> Any:
    return read_json(path) if path.is_file() else absent


def _if_there(path: Path) -> Path | None:
    return path if path.is_file() else None


def _find_pictures(run: RunFolder, case: dict[str, Any]) -> dict[str, Any]:
    """The case with the paths of its pictures, None for those that are not there."""
    found = {key: case.get(key) and _if_there(run.inside(case[key])) for key in ("picture", "map")}
    return {**case, **found}


def _add_class_patients(metrics: dict[str, Any], predictions: pd.DataFrame) -> None:
    """Count the patients with each class where an older run has not; where patients are not known, its images."""
    unit = "patient" if "patient" in predictions else "image"
    for split, levels in metrics.items():
        rows = predictions[predictions["split"] == split]
        for entries in levels.values():
            for kind in ("confusion_matrix", "label_counts"):
                if kind in entries and "class_patients" not in entries[kind]:
                    shown = rows["target"].fillna("").astype(str).str.split(LABEL_SEPARATOR)
                    having = [[name in labels for labels in shown] for name in entries[kind]["classes"]]
                    entries[kind]["class_patients"] = [int(rows[unit][rows_with].nunique()) for rows_with in having]


@reads_run
def write_report(run: RunFolder) -> None:
    """Write the figures and the report of a run that was evaluated.

    Raises:
        RunError: the run was not evaluated yet.
    """
    inputs = read_report_inputs(run)
    figures = {
        name: save_figure(figure, run.figures / f"{name}.svg") for name, figure in report_figures(inputs).items()
    }
    replace_text(run.report, report_page(inputs, figures))
