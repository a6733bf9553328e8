"""The report of a comparison: one HTML page in the style of a run's, made of plain tables and values."""

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from medvision.reports.comparison_inputs import TITLES, ComparisonInputs, drawn_metrics
from medvision.reports.comparison_sentences import (
    answer_sentence,
    limit_sentences,
    model_sentence,
    question_sentence,
    same_sentence,
)
from medvision.reports.comparison_tables import (
    count_table,
    difference_table,
    every_difference_table,
    every_metric_table,
    model_table,
    needed_table,
    setting_table,
    sources,
    table_of_tests,
)
from medvision.reports.model_card import NOT_CLINICAL
from medvision.reports.model_costs import cost_table
from medvision.reports.page_template import page_template

SECTIONS = {
    "models": "Models",
    "differences": "Differences",
    "tests": "Tests",
    "needed": "Patients needed",
    "cost": "Time, parameters, memory",
    "settings": "Settings that differ",
    "data": "Who was tested",
    "limits": "What cannot be said",
}
"""The sections in the order of the page."""


def comparison_page(inputs: ComparisonInputs, figures: Mapping[str, str]) -> str:
    """The page.

    Args:
        inputs: what it tells.
        figures: SVG texts by the names of `comparison_figures`; they are put into the page as they are.

    Returns:
        HTML that needs no network and no script.
    """
    told = _context(inputs, figures)
    return page_template("comparison.html.j2").render(**told)


def _context(inputs: ComparisonInputs, figures: Mapping[str, str]) -> dict[str, Any]:
    levels = [inputs.level, *(name for name in inputs.comparison["levels"] if name != inputs.level)]
    tests = {level: table for level in levels if (table := table_of_tests(inputs, level)) is not None}
    needed = needed_table(inputs, inputs.level)
    settings = setting_table(inputs.models)
    empty = {"tests": not tests, "needed": needed is None, "settings": settings is None}
    return {
        "inputs": inputs,
        "title": " against ".join(inputs.names) if len(inputs.names) == 2 else f"{len(inputs.names)} models compared",
        "networks": {model.name: model_sentence(model) for model in inputs.models},
        "question": question_sentence(inputs),
        "answer": answer_sentence(inputs),
        "not_clinical": NOT_CLINICAL,
        "sections": {name: title for name, title in SECTIONS.items() if not empty.get(name, False)},
        "figures": {name: Markup(svg) for name, svg in figures.items()},
        "titles": TITLES,
        "capital": {name: f"{title[:1].upper()}{title[1:]}" for name, title in TITLES.items()},
        "drawn": drawn_metrics(inputs),
        "levels": levels,
        "model_tables": {level: model_table(inputs, level) for level in levels},
        "every": {level: every_metric_table(inputs, level) for level in levels},
        "differences": {level: difference_table(inputs, level) for level in levels},
        "every_difference": {level: every_difference_table(inputs, level) for level in levels},
        "notes": inputs.comparison["notes"],
        "families": {level: inputs.comparison["levels"][level]["holm"] for level in levels},
        "tests": tests,
        "sources": sources(inputs),
        "needed": needed,
        "costs": cost_table(inputs.models),
        "settings": settings,
        "counts": count_table(inputs),
        "same": same_sentence(inputs),
        "limits": limit_sentences(inputs),
    }
