"""The report of a sweep: one HTML page in the style of a run's, made of `sweep.json` and `trials.csv`."""

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from medvision.reports.figures import save_figure
from medvision.reports.model_card import NOT_CLINICAL
from medvision.reports.page_template import page_template
from medvision.reports.sweep_figures import PAPER, drawn_parameters, sweep_figures
from medvision.reports.sweep_importance import Importance, parameter_importance
from medvision.reports.sweep_inputs import SweepInputs, read_sweep
from medvision.reports.sweep_sentences import (
    answer_sentences,
    choice_sentences,
    edge_sentences,
    importance_sentences,
    limit_sentences,
    method_sentences,
    metric_name,
    parameter_caption,
    question_sentence,
    state_sentence,
    unshown_sentence,
    winner_sentence,
)
from medvision.reports.sweep_tables import space_table, trial_rows, winner_tables
from medvision.runs import RunFolder, reads_run, replace_text

SECTIONS = {
    "trials": "Trials",
    "course": "Course of the sweep",
    "parallel": "All parameters at once",
    "importance": "Which parameters matter",
    "parameters": "The metric by each parameter",
    "winner": "Results of the winner",
    "space": "What was searched",
    "limits": "What cannot be said",
    "method": "How this was made",
}
"""The sections in the order of the page."""


@reads_run
def write_sweep_report(folder: RunFolder) -> None:
    """Write figures and `report.html` of a sweep from `sweep.json` and `trials.csv`; no model and no journal is read.

    Args:
        folder: of the sweep.

    Raises:
        RunError: the sweep has not come to its end.
    """
    inputs = read_sweep(folder)
    importance = parameter_importance(inputs)
    figures = {
        name: save_figure(figure, folder.figures / f"{name}.svg").replace(PAPER, "var(--card)")
        for name, figure in sweep_figures(inputs, importance).items()
    }
    replace_text(folder.report, sweep_page(inputs, importance, figures))


def sweep_page(inputs: SweepInputs, importance: Importance, figures: Mapping[str, str]) -> str:
    """The page.

    Args:
        inputs: what it tells.
        importance: of the parameters.
        figures: SVG texts by the names of `sweep_figures`; they are put into the page as they are.

    Returns:
        HTML that needs no network and no script.
    """
    return page_template("sweep.html.j2").render(**_context(inputs, importance, figures))


def _context(inputs: SweepInputs, importance: Importance, figures: Mapping[str, str]) -> dict[str, Any]:
    winner = winner_tables(inputs)
    heads, rows, notes = trial_rows(inputs)
    drawn = drawn_parameters(inputs, importance)
    there = {
        "course": "history" in figures,
        "parallel": "parallel" in figures,
        "parameters": "parameter_0" in figures,
        "winner": bool(winner),
        "space": bool(inputs.found["parameters"]),
    }
    return {
        "inputs": inputs,
        "title": f"{inputs.found['name']}: sweep",
        "question": question_sentence(inputs),
        "answer": " ".join(answer_sentences(inputs)),
        "tested": winner_sentence(inputs),
        "not_clinical": NOT_CLINICAL,
        "sections": {name: title for name, title in SECTIONS.items() if there.get(name, True)},
        "figures": {name: Markup(svg) for name, svg in figures.items()},
        "metric": metric_name(inputs),
        "state": state_sentence(inputs),
        "heads": heads,
        "rows": rows,
        "notes": notes,
        "choice": choice_sentences(inputs),
        "edges": edge_sentences(inputs),
        "importance": importance_sentences(inputs, importance),
        "drawn": [(p.name, parameter_caption(p, importance)) for p in drawn],
        "unshown": unshown_sentence(inputs, drawn),
        "winner": winner,
        "space": space_table(inputs),
        "limits": limit_sentences(inputs),
        "method": method_sentences(inputs),
    }
