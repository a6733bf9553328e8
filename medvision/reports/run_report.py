"""`report.html` of a run, made from the files of its folder alone."""

import base64
import io
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from jinja2 import Environment, PackageLoader, select_autoescape
from markupsafe import Markup
from PIL import Image

from medvision.config.settings import mode_of
from medvision.evaluation.text import BY_CLASS, SUMMARY, class_counts, count_text, interval_text, value_text
from medvision.reports.figures import confusion_matrix_figure, history_figure, roc_figure, to_svg
from medvision.runs import RunFolder, read_json, read_table, replace_text

SPLIT_TITLES = {"test": "Test", "val": "Validation", "train": "Training"}
SHEET_WIDTH = 900


def write_report(run: RunFolder) -> None:
    """Write the figures and the report of a run that was evaluated.

    Raises:
        RunError: the run was not evaluated yet.
    """
    experiment = yaml.safe_load(run.experiment.read_text(encoding="utf-8"))
    environment, metrics = read_json(run.environment), read_json(run.metrics)
    predictions, split = read_table(run.predictions), read_table(run.split)
    classes = environment["data"]["classes"]
    splits = [name for name in SPLIT_TITLES if name in metrics]
    evaluated = [
        {
            "name": name,
            "title": SPLIT_TITLES[name],
            "levels": _levels(metrics[name]),
            "classes": _classes(metrics[name]),
        }
        for name in splits
    ]
    template = Environment(
        loader=PackageLoader("medvision.reports", "."),
        autoescape=select_autoescape(default=True, default_for_string=True),
        trim_blocks=True,
        lstrip_blocks=True,
    ).get_template("page.html.j2")
    page = template.render(
        experiment=experiment,
        experiment_text=run.experiment.read_text(encoding="utf-8"),
        environment=environment,
        data=environment["data"],
        answer=_answer(metrics[splits[0]], splits[0], environment["data"]),
        splits=evaluated,
        by_class=list(BY_CLASS.values()),
        who=_who(split, classes),
        shared_groups=_shared_groups(split),
        skipped=len(read_table(run.skipped)) if run.skipped.is_file() else 0,
        figures=_figures(run, experiment, metrics[splits[0]], predictions[predictions["split"] == splits[0]], classes),
        sheet=_embedded(run.training_batch),
        folder=run.path.name,
    )
    replace_text(run.report, page)


def _answer(metrics: dict[str, Any], split: str, data: dict[str, Any]) -> str:
    """The result in one sentence."""
    level = next(name for name in ("study", "image") if name in metrics)
    entries = metrics[level]
    shown = "auroc" if entries["auroc"]["value"] is not None else "f1"
    parts = [f"{SUMMARY[name]} {_cell(entries[name])}" for name in (shown, "balanced_accuracy")]
    simulated = ", all simulated" if data["simulated"] else ""
    return f"On {count_text(entries, level)} of the {split} split{simulated}: {' and '.join(parts)}."


def _cell(entry: dict[str, Any]) -> str:
    interval = interval_text(entry)
    return value_text(entry) + (f" ({interval})" if interval else "")


def _levels(metrics: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "name": level,
            "count": count_text(entries, level),
            "texts": {title: _cell(entries[name]) for name, title in SUMMARY.items() if name in entries},
        }
        for level, entries in metrics.items()
    ]


def _classes(metrics: dict[str, Any]) -> list[dict[str, Any]]:
    image = metrics["image"]
    return [
        {"name": name, "n": count, "cells": [_cell(image[f"{metric}_{name}"]) for metric in BY_CLASS]}
        for name, count in class_counts(image).items()
    ]


def _who(split: pd.DataFrame, classes: list[str]) -> list[dict[str, Any]]:
    """Images by class, all images, and groups of every split."""
    rows = []
    for name in [*SPLIT_TITLES, "unused"]:
        part = split[split["split"] == name]
        if len(part):
            labels = part["label"].fillna("").str.split("|").explode()
            counts = [int((labels == label).sum()) for label in classes]
            rows.append({"name": name, "counts": counts, "images": len(part), "groups": part["group"].nunique()})
    return rows


def _shared_groups(split: pd.DataFrame) -> int:
    """How many groups stand in more than one split. Counted anew from the file, not taken from anybody's word."""
    used = split[split["split"] != "unused"]
    return int((used.groupby("group")["split"].nunique() > 1).sum())


def _figures(
    run: RunFolder, experiment: dict[str, Any], metrics: dict[str, Any], predictions: pd.DataFrame, classes: list[str]
) -> dict[str, Markup]:
    drawn = {"roc": roc_figure(predictions, classes)}
    if "confusion_matrix" in metrics["image"]:
        drawn["confusion_matrix"] = confusion_matrix_figure(metrics["image"]["confusion_matrix"]["value"], classes)
    if run.history.is_file():
        stopping = experiment["early_stopping"] or {}
        monitor = experiment["checkpoint"]["monitor"] or stopping.get("monitor", "val/loss")
        drawn["history"] = history_figure(pd.read_csv(run.history), monitor, mode_of(monitor))
    run.figures.mkdir(exist_ok=True)
    result = {}
    for name, figure in drawn.items():
        svg = to_svg(figure)
        replace_text(run.figures / f"{name}.svg", svg)
        # Drawn by ourselves from numbers and escaped names: safe to put into the page as it is.
        result[name] = Markup(svg)
    return result


def _embedded(sheet: Path) -> str | None:
    """A picture as a data URL small enough for a page that travels by mail."""
    if not sheet.is_file():
        return None
    with Image.open(sheet) as picture:
        picture.thumbnail((SHEET_WIDTH, SHEET_WIDTH))
        buffer = io.BytesIO()
        picture.convert("RGB").save(buffer, "JPEG", quality=82)
    return escape(f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}")
