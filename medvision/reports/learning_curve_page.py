"""The report of learning curves: one HTML page in the style of a run's, made of `learning_curve.json`."""

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from medvision.reports.comparison_inputs import ModelFacts
from medvision.reports.comparison_tables import metric_title, setting_table
from medvision.reports.learning_curve_sentences import (
    answer_sentence,
    answering_level,
    limit_sentences,
    method_sentences,
    need_sentences,
    question_sentence,
)
from medvision.reports.learning_curve_tables import (
    cost_table,
    curve_table,
    difference_table,
    every_metric_table,
    fit_table,
    size_label,
    subset_table,
)
from medvision.reports.model_card import NOT_CLINICAL
from medvision.reports.model_sentences import network_name
from medvision.reports.page_template import page_template

SECTIONS = {
    "curves": "Learning curves",
    "differences": "Differences between models",
    "more": "What more images would bring",
    "cost": "Time",
    "settings": "Settings that differ",
    "data": "Who was trained on, who was tested",
    "runs": "Runs",
    "limits": "What cannot be said",
    "method": "How this was made",
}
"""The sections in the order of the page."""


def learning_curve_page(found: Mapping[str, Any], figures: Mapping[str, str], folder: str) -> str:
    """The page.

    Args:
        found: `learning_curve.json`.
        figures: SVG texts by the names of `learning_curve_figures`; they are put into the page as they are.
        folder: the name of the folder of all runs.

    Returns:
        HTML that needs no network and no script.
    """
    return page_template("learning_curves.html.j2").render(**_context(found, figures, folder))


def _context(found: Mapping[str, Any], figures: Mapping[str, str], folder: str) -> dict[str, Any]:
    answering = answering_level(found)
    levels = [answering, *(name for name in found["levels"] if name != answering)]
    differences = {name: table for name in levels if (table := difference_table(found, name)) is not None}
    facts = [ModelFacts(name=name, experiment=_own(model), runs=()) for name, model in found["models"].items()]
    settings = setting_table(facts) if len(facts) > 1 else None
    empty = {"differences": not differences, "settings": settings is None}
    names = list(found["models"])
    title = f"Learning curves of {' and '.join(names)}" if len(names) < 3 else f"Learning curves of {len(names)} models"
    return {
        "found": found,
        "folder": folder,
        "title": title,
        "networks": {name: network_name(model["experiment"]["model"]) for name, model in found["models"].items()},
        "question": question_sentence(found),
        "answer": answer_sentence(found),
        "not_clinical": NOT_CLINICAL,
        "sections": {name: title for name, title in SECTIONS.items() if not empty.get(name, False)},
        "figures": {name: Markup(svg) for name, svg in figures.items()},
        "levels": levels,
        "headlines": {name: metric_title(found["levels"][name]["headline"]) for name in levels},
        "curves": {name: curve_table(found, name) for name in levels},
        "every": {name: every_metric_table(found, name) for name in levels},
        "differences": differences,
        "needs": {name: need_sentences(found, name) for name in levels},
        "fits": {name: fit for name in levels if (fit := fit_table(found, name)) is not None},
        "costs": cost_table(found),
        "settings": settings,
        "subsets": subset_table(found),
        "runs": _runs(found),
        "limits": limit_sentences(found),
        "method": method_sentences(found),
    }


def _own(model: Mapping[str, Any]) -> dict[str, Any]:
    """The experiment of a model without what a learning curve varies."""
    experiment = model["experiment"]
    varied = ("train_images", "seed")
    split = {name: value for name, value in experiment["split"].items() if name not in varied}
    return {**{name: value for name, value in experiment.items() if name != "seed"}, "split": split}


def _runs(found: Mapping[str, Any]) -> list[tuple[str, list[tuple[str, list[tuple[int, str]]]]]]:
    """(model, sizes of (size, runs of (repeat from 1, address of its report)))."""
    told: dict[str, dict[str, list[tuple[int, str]]]] = {}
    for part in found["parts"]:
        sizes = told.setdefault(part["model"], {})
        address = f"parts/{part['name']}/report.html"
        sizes.setdefault(size_label(part["images"]), []).append((part["repeat"] + 1, address))
    return [(model, list(sizes.items())) for model, sizes in told.items()]
