"""The report of a run: one HTML page that needs no network, made of plain tables and values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from matplotlib.figure import Figure

from medvision.config.settings import mode_of
from medvision.evaluation.text import UNITS
from medvision.reports.figures import confusion_figure, history_figures, roc_figure
from medvision.reports.mask_figures import dice_figure, distance_figure
from medvision.reports.mask_tables import MASKS
from medvision.reports.page_tables import LABELS, answer_text, count_splits, metric_tables, split_facts
from medvision.reports.panels import SHEET_WIDTH as PANELS_WIDTH
from medvision.reports.pictures import embed_animation, embed_picture

# The split that answers the question comes first.
SPLITS = {"test": "Test", "val": "Validation", "train": "Training"}
SHEET_WIDTH = 1100


@dataclass(frozen=True, kw_only=True)
class ReportInputs:
    """What a report is made of; all of it stands in a run folder.

    Args:
        folder: the name of the run folder.
        experiment: the resolved experiment.
        experiment_text: the same as its file has it.
        environment: versions, device, commit, and what is known of data and model.
        split: `split.csv`.
        predictions: the prediction table.
        metrics: {split: {level: {metric: entry}}}.
        classes: names of the labels in order; empty where there are none.
        mask_classes: names of the masks' classes, the background first; empty where there are no masks.
        multilabel: several classes an image, or none.
        history: a row an epoch; None where nothing was trained.
        simulated: the images were drawn by a program.
        citation: of the data.
        licence: of the data.
        url: of the data.
        skipped: how many images were left out.
        sheet: a contact sheet of training images; None where there is none.
        panels: best, median and worst masks; None where there are none.
        animation: how the masks formed during training, GIF or WebP; None where there is none.
    """

    folder: str
    experiment: Mapping[str, Any]
    experiment_text: str
    environment: Mapping[str, Any]
    split: pd.DataFrame
    predictions: pd.DataFrame
    metrics: Mapping[str, Any]
    classes: list[str]
    mask_classes: list[str] = field(default_factory=list)
    multilabel: bool = False
    history: pd.DataFrame | None = None
    simulated: bool = False
    citation: str = ""
    licence: str = ""
    url: str = ""
    skipped: int = 0
    sheet: Path | None = None
    panels: Path | None = None
    animation: Path | None = None

    @property
    def answering(self) -> str:
        """The split whose metrics answer the question: test, else validation, else training."""
        return next(name for name in SPLITS if name in self.metrics)


def report_figures(inputs: ReportInputs) -> dict[str, Figure]:
    """The figures of a report by name: confusion matrices, ROC curves, box plots of masks, learning curves."""
    figures: dict[str, Figure] = {}
    for level, entries in inputs.metrics[inputs.answering].items():
        if "confusion_matrix" in entries:
            matrix = entries["confusion_matrix"]
            figures[f"confusion_matrix_{level}"] = confusion_figure(matrix["value"], matrix["classes"])
    rows = inputs.predictions[inputs.predictions["split"] == inputs.answering]
    drawn: dict[str, Figure | None] = {}
    if _has(inputs, LABELS):
        drawn["roc"] = roc_figure(rows, inputs.classes, multilabel=inputs.multilabel)
    if _has(inputs, MASKS):
        drawn |= {"dice": dice_figure(rows, inputs.mask_classes), "hd95": distance_figure(rows, inputs.mask_classes)}
    figures |= {name: figure for name, figure in drawn.items() if figure is not None}
    if inputs.history is not None and len(inputs.history):
        curves = history_figures(inputs.history, _best_epoch(inputs))
        figures |= {f"history_{name}": figure for name, figure in curves.items()}
    return figures


def _has(inputs: ReportInputs, metric: str) -> bool:
    return any(metric in entries for entries in inputs.metrics[inputs.answering].values())


def report_page(inputs: ReportInputs, figures: Mapping[str, str]) -> str:
    """The page.

    Args:
        inputs: what it tells.
        figures: SVG texts by the names of `report_figures`; they are put into the page as they are.
    """
    template = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    ).get_template("page.html.j2")
    group = inputs.experiment["split"]["group"]
    simulated = ", all of them simulated" if inputs.simulated else ""
    return template.render(
        inputs=inputs,
        network=_network(inputs.experiment["model"]),
        answer=answer_text(
            inputs.metrics[inputs.answering], f"of the {SPLITS[inputs.answering].lower()} split{simulated}"
        ),
        optimistic={"test": "", "val": "chose the weights", "train": "was trained on"}[inputs.answering],
        group=group,
        groups=UNITS.get(group, f"{group}s"),
        who=count_splits(inputs.split, inputs.classes),
        facts=split_facts(inputs.split),
        splits=[
            {"title": title, "parts": metric_tables(inputs.metrics[name], inputs.mask_classes)}
            for name, title in SPLITS.items()
            if name in inputs.metrics
        ],
        figures={name: Markup(svg) for name, svg in figures.items()},
        best_epoch=_best_epoch(inputs),
        sheet=inputs.sheet and embed_picture(inputs.sheet, SHEET_WIDTH),
        panels=inputs.panels and embed_picture(inputs.panels, PANELS_WIDTH),
        animation=inputs.animation and embed_animation(inputs.animation),
        still=inputs.animation and embed_picture(inputs.animation, SHEET_WIDTH),
    )


def _network(model: Mapping[str, Any]) -> str:
    """What was trained, in the words of the experiment."""
    if "architecture" in model:
        return f"{model['architecture']} with {model['encoder']}" if "encoder" in model else str(model["architecture"])
    return str(model.get("backbone", model["task"]))


def _best_epoch(inputs: ReportInputs) -> int | None:
    monitor = _monitor(inputs.experiment)
    if inputs.history is None or monitor not in inputs.history or not inputs.history[monitor].notna().any():
        return None
    known = inputs.history.dropna(subset=[monitor])
    values = known[monitor].to_numpy()
    best = values.argmin() if mode_of(monitor) == "min" else values.argmax()
    return int(known["epoch"].iloc[best])


def _monitor(experiment: Mapping[str, Any]) -> str:
    stopping = experiment.get("early_stopping") or {}
    return (experiment.get("checkpoint") or {}).get("monitor") or stopping.get("monitor") or "val/loss"
