"""Tables of a sweep: its trials, the best first; the winner's results; what was searched."""

import math

from medvision.evaluation.mask_text import MASK_SUMMARY
from medvision.evaluation.text import SUMMARY, count_text
from medvision.reports.cells import Cell, Table, count_cell, entry_cell
from medvision.reports.comparison_tables import metric_title
from medvision.reports.cost import time_text
from medvision.reports.page_tables import MOST_ROWS, cut_note
from medvision.reports.sweep_inputs import SweepInputs, flat_parameters
from medvision.reports.sweep_sentences import STATES, measure_text, spec_text, value_digits

SUMMARIES = (*SUMMARY, *MASK_SUMMARY)
SPLITS = {"val": "validation", "test": "test"}


def trial_rows(inputs: SweepInputs) -> tuple[list[str], list[tuple[int, bool, list[Cell]]], list[str]]:
    """The trials, the best first.

    Returns:
        (heads of the columns, rows of (trial, whether it was chosen, cells), notes below the table).
    """
    digits = value_digits(inputs)
    heads = ["trial", inputs.found["metric"]["name"], "state", "epochs", "time", *(p.name for p in inputs.parameters)]
    rows: list[tuple[int, bool, list[Cell]]] = []
    for place in inputs.order[:MOST_ROWS]:
        trial = inputs.trials.iloc[place]
        epochs = count_cell(None if math.isnan(trial["epochs"]) else int(trial["epochs"]))
        seconds = "–" if math.isnan(trial["seconds"]) else time_text(trial["seconds"])
        cells: list[Cell] = [
            (measure_text(trial["value"], digits), []),
            (STATES.get(trial["state"], trial["state"]), []),
            epochs,
            (seconds, []),
        ]
        cells += [(parameter.texts[place] or "–", []) for parameter in inputs.parameters]
        rows.append((int(trial["trial"]), place == inputs.best, cells))
    return heads, rows, cut_note(len(inputs.trials), "trials.csv")


def winner_tables(inputs: SweepInputs) -> list[Table]:
    """The summary of the winner on validation and test, a table a level; empty where its run folder has none."""
    shown = [split for split in SPLITS if inputs.winner.get(split)]
    if not shown:
        return []
    tables = []
    for level in inputs.winner[shown[-1]]:
        found = [inputs.winner[split].get(level, {}) for split in shown]
        names = [name for name in SUMMARIES if all(name in one for one in found)]
        rows = [(metric_title(name, found[-1][name]), [entry_cell(one[name]) for one in found]) for name in names]
        if rows:
            counts = [
                count_text(one, level) if "accuracy" in one else f"{one[names[0]]['n']} {level}s" for one in found
            ]
            heads = ["metric", *(f"{SPLITS[split]}: {count}" for split, count in zip(shown, counts, strict=True))]
            tables.append(Table(caption=f"The winner, per {level}", heads=heads, rows=rows))
    return tables


def space_table(inputs: SweepInputs) -> Table:
    """What was searched, and what was the same in all trials."""
    specs = dict(flat_parameters(inputs.found["parameters"]))
    best = inputs.best
    chosen = {p.name: p.texts[best] for p in inputs.parameters} if best is not None else {}
    rows: list[tuple[str, list[Cell]]] = [
        (name, [(chosen.get(name, inputs.fixed.get(name, "–")), []), (spec_text(spec), [])])
        for name, spec in specs.items()
    ]
    return Table(caption="What was searched", heads=["parameter", "chosen", "searched"], rows=rows, words=True)
