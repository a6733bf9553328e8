"""A comparison as lines of the terminal and as rows of a CSV."""

import textwrap
from typing import Any

from medvision.evaluation.text import WIDTH, align, cut
from medvision.reports.cells import Cell
from medvision.reports.comparison_inputs import UNDEFINED, ComparisonInputs, entry_of, headlines, pair_name
from medvision.reports.comparison_sentences import answer_sentence
from medvision.reports.comparison_tables import case_text, difference_cell, metric_title, p_text, value_line
from medvision.reports.model_costs import cost_table, model_costs

MOST_COLUMNS = 2
LONGEST_NAME = 32


def comparison_text(inputs: ComparisonInputs) -> str:
    """The answer, the models with what they cost, and their differences, about 100 characters wide."""
    level = inputs.level
    wanted = headlines(inputs, level)[:MOST_COLUMNS]
    title = f"The same {case_text(inputs.comparison['levels'][level], level)}, 95 % intervals"
    answer = "\n".join(textwrap.wrap(answer_sentence(inputs), WIDTH))
    return "\n\n".join([f"{title}\n{_models(inputs, wanted)}", _costs(inputs), _differences(inputs, wanted), answer])


def _models(inputs: ComparisonInputs, wanted: list[str]) -> str:
    level = inputs.level
    heads = ["model", *(metric_title(key, entry_of(inputs, level, inputs.names[0], key)) for key in wanted)]
    rows = [
        [cut(name, LONGEST_NAME), *(value_line(entry_of(inputs, level, name, key)) for key in wanted)]
        for name in inputs.names
    ]
    return align([heads, *rows])


def _costs(inputs: ComparisonInputs) -> str:
    table = cost_table(inputs.models)
    kept = [k for k, head in enumerate(table.heads[1:]) if head != "device"]
    heads = [table.heads[0], *(table.heads[1:][k] for k in kept)]
    rows = [[cut(name, LONGEST_NAME), *(cells[k][0] for k in kept)] for name, cells in table.rows]
    return align([heads, *rows])


def _differences(inputs: ComparisonInputs, wanted: list[str]) -> str:
    rows = [["difference", *(metric_title(key) for key in wanted), "p after Holm"]]
    for pair in inputs.comparison["levels"][inputs.level]["pairs"]:
        cells = [_line(difference_cell({**pair["differences"].get(key, UNDEFINED), "p": None})) for key in wanted]
        adjusted = [
            f"{metric_title(test['metric'])} {p_text(test.get('p_holm'))}"
            for test in pair["tests"]
            if test["metric"] in wanted
        ]
        rows.append([cut(pair_name(pair), 2 * LONGEST_NAME), *cells, ", ".join(dict.fromkeys(adjusted)) or "–"])
    return align(rows)


def _line(cell: Cell) -> str:
    value, below = cell
    return f"{value} [{below[0]}]" if below else value


def comparison_rows(inputs: ComparisonInputs) -> list[dict[str, Any]]:
    """A row a model: what it was tested on, headline metrics with their intervals, time, parameters and memory."""
    level = inputs.level
    found = inputs.comparison["levels"][level]
    rows = []
    for model in inputs.models:
        row: dict[str, Any] = {"model": model.name, "level": level, "n": found["n"], "patients": found["patients"]}
        for metric in headlines(inputs, level):
            entry = entry_of(inputs, level, model.name, metric)
            row |= {metric: entry["value"], f"{metric}_low": entry["low"], f"{metric}_high": entry["high"]}
        cost = model_costs(model)
        row["minutes_to_train"] = _scaled(cost["training_seconds"], 1 / 60, 2)
        row["ms_an_image"] = _scaled(cost["seconds_per_image"], 1000, 2)
        kept = ("parameters", "trained_parameters", "peak_memory_mib", "peak_gpu_memory_mib", "runs")
        rows.append(row | {key: cost[key] for key in kept})
    return rows


def _scaled(value: float | None, factor: float, digits: int) -> float | None:
    return None if value is None else round(factor * value, digits)
