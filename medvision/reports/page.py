"""The report of a run: one HTML page that needs no network, made of plain tables and values."""

import base64
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from matplotlib.figure import Figure
from PIL import Image

from medvision.config.settings import mode_of
from medvision.data.splits import UNUSED
from medvision.data.table import LABEL_SEPARATOR
from medvision.evaluation.text import (
    BY_CLASS,
    SUMMARY,
    UNITS,
    class_counts,
    count_text,
    interval_text,
    notes,
    value_text,
)
from medvision.reports.figures import confusion_figure, history_figures, roc_figure

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
        classes: their names in order.
        multilabel: several classes an image, or none.
        history: a row an epoch; None where nothing was trained.
        simulated: the images were drawn by a program.
        citation: of the data.
        licence: of the data.
        url: of the data.
        skipped: how many images were left out.
        sheet: a contact sheet of training images; None where there is none.
    """

    folder: str
    experiment: Mapping[str, Any]
    experiment_text: str
    environment: Mapping[str, Any]
    split: pd.DataFrame
    predictions: pd.DataFrame
    metrics: Mapping[str, Any]
    classes: list[str]
    multilabel: bool = False
    history: pd.DataFrame | None = None
    simulated: bool = False
    citation: str = ""
    licence: str = ""
    url: str = ""
    skipped: int = 0
    sheet: Path | None = None

    @property
    def answering(self) -> str:
        """The split whose metrics answer the question: test, else validation, else training."""
        return next(name for name in SPLITS if name in self.metrics)


def report_figures(inputs: ReportInputs) -> dict[str, Figure]:
    """The figures of a report by name: confusion matrices, ROC curves, learning curves."""
    figures = {}
    for level, entries in inputs.metrics[inputs.answering].items():
        if "confusion_matrix" in entries:
            matrix = entries["confusion_matrix"]
            figures[f"confusion_matrix_{level}"] = confusion_figure(matrix["value"], matrix["classes"])
    rows = inputs.predictions[inputs.predictions["split"] == inputs.answering]
    roc = roc_figure(rows, inputs.classes, multilabel=inputs.multilabel)
    if roc is not None:
        figures["roc"] = roc
    if inputs.history is not None and len(inputs.history):
        curves = history_figures(inputs.history, _best_epoch(inputs))
        figures |= {f"history_{name}": figure for name, figure in curves.items()}
    return figures


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
    return template.render(
        inputs=inputs,
        answer=_answer(inputs),
        optimistic={"test": "", "val": "chose the weights", "train": "was trained on"}[inputs.answering],
        group=group,
        groups=UNITS.get(group, f"{group}s"),
        who=_who(inputs.split, inputs.classes),
        facts=_split_facts(inputs.split),
        splits=[_split_tables(name, inputs.metrics[name]) for name in SPLITS if name in inputs.metrics],
        by_class=list(BY_CLASS.values()),
        figures={name: Markup(svg) for name, svg in figures.items()},
        best_epoch=_best_epoch(inputs),
        sheet=_embedded(inputs.sheet),
    )


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


def _answer(inputs: ReportInputs) -> str:
    """The result in one sentence, of whole studies where there are any."""
    levels = inputs.metrics[inputs.answering]
    level = "study" if "study" in levels else "image"
    entries = levels[level]
    told = [name for name in ("auroc", "balanced_accuracy", "f1") if name in entries][:2]
    values = " and ".join(f"{SUMMARY[name]} {_said(entries[name])}" for name in told)
    simulated = ", all of them simulated" if inputs.simulated else ""
    return f"On {count_text(entries, level)} of the {SPLITS[inputs.answering].lower()} split{simulated}: {values}."


def _said(entry: Mapping[str, Any]) -> str:
    if entry["value"] is None:
        return "undefined"
    interval = interval_text(entry).replace("–", " to ")
    return value_text(entry) + (f" (95 % interval {interval})" if interval else "")


def _who(split: pd.DataFrame, classes: list[str]) -> list[dict[str, Any]]:
    """Images by class, images and groups of every split."""
    rows = []
    for name in ("train", "val", "test", UNUSED):
        part = split[split["split"] == name]
        if len(part):
            labels = part["label"].fillna("").astype(str).str.split(LABEL_SEPARATOR).explode()
            counts = {label: int((labels == label).sum()) for label in classes}
            rows.append({"name": name, "counts": counts, "images": len(part), "groups": part["group"].nunique()})
    return rows


def _split_facts(split: pd.DataFrame) -> dict[str, int | None]:
    """Counted anew from the table: what stands in more than one split. None where the column is not known."""
    used = split[split["split"] != UNUSED]
    facts: dict[str, int | None] = {"groups": used["group"].nunique()}
    for name, column in (("shared_groups", "group"), ("shared_patients", "patient"), ("shared_files", "sha256")):
        known = used[used[column].notna() & (used[column].astype(str) != "")] if column in used else used.iloc[:0]
        facts[name] = int((known.groupby(column)["split"].nunique() > 1).sum()) if len(known) else None
    return facts


def _split_tables(name: str, metrics: Mapping[str, Any]) -> dict[str, Any]:
    summary = [
        (title, [_cell(entries[metric]) for entries in metrics.values()])
        for metric, title in SUMMARY.items()
        if all(metric in entries for entries in metrics.values())
    ]
    by_class = {
        level: [
            (label, count, [_cell(entries[f"{metric}_{label}"]) for metric in BY_CLASS])
            for label, count in class_counts(entries).items()
        ]
        for level, entries in metrics.items()
    }
    counts = [count_text(entries, level) for level, entries in metrics.items()]
    return {
        "name": name,
        "title": SPLITS[name],
        "counts": counts,
        "summary": summary,
        "by_class": by_class,
        "notes": notes(metrics),
    }


def _cell(entry: Mapping[str, Any]) -> tuple[str, str]:
    return value_text(entry), interval_text(entry)


def _embedded(sheet: Path | None) -> str | None:
    """A picture as a data URL, small enough for a page that travels by mail."""
    if sheet is None:
        return None
    with Image.open(sheet) as picture:
        picture.thumbnail((SHEET_WIDTH, 4 * SHEET_WIDTH))
        buffer = io.BytesIO()
        picture.convert("RGB").save(buffer, "JPEG", quality=80, optimize=True)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"
