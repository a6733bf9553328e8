"""The report of a run: one HTML page that needs no network, made of plain tables and values."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from markupsafe import Markup

from medvision.evaluation.notable import CHOICE
from medvision.evaluation.text import UNITS
from medvision.reports.checklist import AUTHOR, checklist
from medvision.reports.cost import cost_rows
from medvision.reports.decision_tables import (
    calibration_table,
    decision_sentences,
    operating_table,
    temperature_text,
)
from medvision.reports.gallery import READING
from medvision.reports.gallery_cards import WIDTH, gallery_cards, gallery_pictures
from medvision.reports.inputs import SPLITS, ReportInputs
from medvision.reports.metadata_tables import metadata_rows, metadata_splits, metadata_table
from medvision.reports.model_card import NOT_CLINICAL, model_card
from medvision.reports.model_sentences import combination_sentence, network_name, sweep_sentence
from medvision.reports.page_folds import fold_context
from medvision.reports.page_tables import MOST_ROWS, count_splits, cut_note, metric_tables
from medvision.reports.page_template import MOST_BYTES, page_template
from medvision.reports.panels import SHEET_WIDTH as PANELS_WIDTH
from medvision.reports.pictures import ANIMATION_SHARE, embed_animation, embed_pictures
from medvision.reports.privacy import hide_home
from medvision.reports.question import question_text
from medvision.reports.result_sentences import interval_sentence, optimism_sentence, performance_sentence
from medvision.reports.subgroup_tables import subgroup_level

__all__ = ["MOST_BYTES", "ReportInputs", "report_page"]

MOST_FIGURE_BYTES, MOST_FIGURES_BYTES = 800_000, 2_000_000
SHEET_WIDTH = 1100
SECTIONS = {
    "split": "Who is in which split",
    "training": "Learning curves",
    "metrics": "Results",
    "folds": "Fold by fold",
    "curves": "ROC and precision–recall curves",
    "operating_point": "Operating point",
    "calibration": "Calibration",
    "decision_curve": "Decision curve",
    "subgroups": "Subgroups",
    "errors": "Errors worth looking at",
    "cost": "Time, hardware, cost",
    "model_card": "Model card",
    "settings": "Settings",
    "environment": "Environment",
    "checklist": "Reporting checklists",
}
"""The sections in the order of the page; each has a template of its name."""
OF_FOLDS = {
    "split": "Who is in which fold",
    "training": "Learning curves of the folds",
    "metrics": "Results of all folds",
}
"""Their titles in the page of a cross-validation, as far as they are others."""


def report_page(inputs: ReportInputs, figures: Mapping[str, str]) -> str:
    """The page.

    Args:
        inputs: what it tells.
        figures: SVG texts by the names of `report_figures`; they are put into the page as they are.

    Returns:
        HTML of less than 5 MB: pictures are made smaller until they fit, and a figure that is too large is left out.
    """
    template = page_template("page.html.j2")
    pictures = _pictures(inputs)
    told = _context(inputs, _affordable(figures))
    bare = template.render(**told, pictures=dict.fromkeys(pictures, ""), animation=None)
    budget = MOST_BYTES - len(bare.encode())
    animation = embed_animation(inputs.animations, int(ANIMATION_SHARE * budget))
    urls = embed_pictures(pictures, budget - len(animation or ""))
    return template.render(**told, pictures=urls, animation=animation)


def _pictures(inputs: ReportInputs) -> dict[str, tuple[Path, int]]:
    """The pictures by name, each with its largest width."""
    single = {
        "sheet": (inputs.sheet, SHEET_WIDTH),
        "panels": (inputs.panels, PANELS_WIDTH),
        "still": (inputs.animations[0] if inputs.animations else None, SHEET_WIDTH),
    }
    found = {name: (path, width) for name, (path, width) in single.items() if path is not None}
    return {**found, **gallery_pictures(inputs.cases)}


def _affordable(figures: Mapping[str, str]) -> dict[str, str]:
    """The figures in their order, without those for which there is no room."""
    kept, used = {}, 0
    for name, svg in figures.items():
        size = len(svg.encode())
        if size <= MOST_FIGURE_BYTES and used + size <= MOST_FIGURES_BYTES:
            kept[name] = svg
            used += size
    return kept


def _network(inputs: ReportInputs) -> str:
    name = network_name(inputs.experiment["model"])
    choices = inputs.folds.choices.values() if inputs.folds else ()
    chosen = sorted({setting for found in choices for setting in found["settings"]})
    return f"{name}, with {', '.join(chosen)} chosen for each fold," if chosen else name


def _context(inputs: ReportInputs, figures: Mapping[str, str]) -> dict[str, Any]:
    """What the templates tell, all but the pictures."""
    group = inputs.experiment["split"]["group"]
    told = {
        "inputs": inputs,
        "network": _network(inputs),
        "question": question_text(inputs),
        "answer": performance_sentence(inputs),
        "optimistic": optimism_sentence(inputs),
        "chosen": sweep_sentence(inputs),
        "not_clinical": NOT_CLINICAL,
        "group": group,
        "groups": UNITS.get(group, f"{group}s"),
        "figures": {name: Markup(svg) for name, svg in figures.items()},
        **_split_context(inputs),
        **fold_context(inputs),
        **_result_context(inputs),
        **_run_context(inputs),
    }
    titles = SECTIONS if inputs.folds is None else {**SECTIONS, **OF_FOLDS}
    return {**told, "sections": {name: title for name, title in titles.items() if _has(name, inputs, told)}}


def _split_context(inputs: ReportInputs) -> dict[str, Any]:
    wanted = (inputs.experiment.get("evaluation") or {}).get("subgroups")
    table = metadata_table(inputs.split, inputs.predictions)
    return {
        "who": count_splits(inputs.split, inputs.classes),
        "classes": inputs.classes[:MOST_ROWS],
        "classes_note": cut_note(len(inputs.classes), "split.csv"),
        "metadata": metadata_rows(table, wanted, inputs.classes, inputs.mask_classes),
        "metadata_splits": metadata_splits(table) if inputs.folds is None else ["all folds"],
    }


def _result_context(inputs: ReportInputs) -> dict[str, Any]:
    name, decision = inputs.answering, inputs.decision
    metrics = inputs.metrics[name]
    title = inputs.scored
    operating = bool(decision and inputs.classes)
    return {
        "splits": [
            {"title": _split_title(inputs, split), "parts": metric_tables(inputs.metrics[split], inputs.mask_classes)}
            for split in SPLITS
            if split in inputs.metrics
        ],
        "levels": list(metrics),
        "intervals": interval_sentence(inputs),
        "combination": combination_sentence(inputs),
        "operating_sentences": (
            decision_sentences(decision, inputs.classes, name, multilabel=inputs.multilabel)
            if decision and operating
            else []
        ),
        "operating": (
            operating_table(metrics, decision, inputs.classes, title, multilabel=inputs.multilabel)
            if decision and operating
            else None
        ),
        "calibration": calibration_table(metrics, title),
        "temperature": temperature_text(decision, name) if decision and operating else "",
        "subgroups": {
            level: subgroup_level(columns, level, inputs.classes, inputs.mask_classes)
            for level, columns in (inputs.subgroups.get(name) or {}).items()
            if columns
        },
        "cards": gallery_cards(inputs.cases),
        "case_split": _split_title(inputs, inputs.cases[0].get("split", name)).lower() if inputs.cases else "",
        "case_width": WIDTH,
        "choice": CHOICE,
        "reading": READING,
    }


def _split_title(inputs: ReportInputs, split: str) -> str:
    return "Test folds" if inputs.folds is not None else f"{SPLITS[split]} split"


def _run_context(inputs: ReportInputs) -> dict[str, Any]:
    epochs = len(inputs.history) if inputs.history is not None else None
    items = checklist(inputs)
    guidelines: dict[str, list[dict[str, str | None]]] = {}
    for item in items:
        guidelines.setdefault(str(item["guideline"]), []).append(item)
    return {
        "best_epoch": inputs.best_epoch,
        "costs": cost_rows(inputs.environment, epochs),
        "card": model_card(inputs),
        "settings": hide_home(inputs.experiment_text),
        "environment": environment_rows(inputs.environment),
        "guidelines": guidelines,
        "author": AUTHOR,
    }


def environment_rows(environment: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Everything in `environment.json` but the data, as (what, value) pairs."""
    told = {name.replace("_", " "): value for name, value in environment.items() if not isinstance(value, Mapping)}
    told |= {name.replace("_", " "): value for name, value in environment.get("model", {}).items()}
    told |= environment.get("packages", {})
    return [(name, hide_home(_plain(value))) for name, value in told.items()]


def _plain(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) and value >= 100_000 else str(value)


def _has(section: str, inputs: ReportInputs, told: Mapping[str, Any]) -> bool:
    """Whether there is anything to tell in a section."""
    figures = tuple(told["figures"])
    drawn = {
        "training": "history_",
        "curves": ("roc_", "pr_"),
        "calibration": "reliability_",
        "decision_curve": "net_benefit_",
        "errors": ("dice", "hd95"),
    }
    if section in drawn and any(name.startswith(drawn[section]) for name in figures):
        return True
    known = {
        "training": inputs.sheet is not None or bool(inputs.animations),
        "folds": inputs.folds is not None,
        "curves": False,
        "operating_point": bool(told["operating_sentences"]),
        "calibration": told["calibration"] is not None,
        "decision_curve": False,
        "subgroups": bool(told["subgroups"]),
        "errors": bool(told["cards"]) or inputs.panels is not None,
    }
    return known.get(section, True)
