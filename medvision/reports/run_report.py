"""From the files of a run folder to its figures and `report.html`, again at any time and without a model."""

import pandas as pd
import yaml

from medvision.config.yaml_dialect import Loader
from medvision.reports.figures import save_figure
from medvision.reports.page import ReportInputs, report_figures, report_page
from medvision.reports.pictures import choose_animation
from medvision.runs import RunFolder, read_json, read_table, replace_text


def read_report_inputs(run: RunFolder) -> ReportInputs:
    """Everything a report tells, read from the run folder.

    Raises:
        RunError: the run was not evaluated yet.
    """
    text = run.experiment.read_text(encoding="utf-8")
    environment = read_json(run.environment)
    data = environment["data"]
    return ReportInputs(
        folder=run.path.name,
        experiment=yaml.load(text, Loader=Loader),
        experiment_text=text,
        environment=environment,
        split=read_table(run.split),
        predictions=read_table(run.predictions),
        metrics=read_json(run.metrics),
        classes=data["classes"],
        # Runs from before there were masks do not tell.
        mask_classes=data.get("mask_classes", []),
        multilabel=data["multilabel"],
        history=pd.read_csv(run.history) if run.history.is_file() else None,
        simulated=data["simulated"],
        citation=data["citation"],
        licence=data["licence"],
        url=data["url"],
        skipped=len(read_table(run.skipped)) if run.skipped.is_file() else 0,
        sheet=run.training_batch if run.training_batch.is_file() else None,
        panels=run.panels if run.panels.is_file() else None,
        animation=choose_animation(run.animation_webp, run.animation_gif),
    )


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
