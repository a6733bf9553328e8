"""Tables of a comparison: the models, their differences, the tests, how many patients would settle it, the settings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from medvision.evaluation.mask_text import measure_digits, title_with_unit
from medvision.evaluation.text import UNITS, value_text
from medvision.reports.cells import Cell, Table, count_cell, entry_cell, gap_cell
from medvision.reports.comparison_inputs import (
    TITLES,
    UNDEFINED,
    ComparisonInputs,
    Entry,
    ModelFacts,
    entry_of,
    headlines,
    pair_name,
)
from medvision.reports.data_sentences import counted
from medvision.reports.privacy import file_name, hide_home

TESTS = {
    "delong": "DeLong",
    "obuchowski": "Obuchowski (clustered DeLong)",
    "mcnemar": "McNemar",
    "permutation": "permutation of patients",
    "wilcoxon": "Wilcoxon signed rank",
    "bootstrap": "bootstrap of patients",
}
# What tells nothing about a model: where files are, how a run is named.
_UNTOLD = ("name", "question", "tracking")
_LONGEST = 60


@dataclass(frozen=True, kw_only=True)
class GroupedTable:
    """A table whose rows stand in groups.

    Args:
        caption: what it tells.
        heads: of the columns, that of the rows' names first.
        groups: (name, rows of (name, cells)) each.
        notes: sentences below it.
    """

    caption: str
    heads: Sequence[str]
    groups: Sequence[tuple[str, Sequence[tuple[str, Sequence[Cell]]]]]
    notes: Sequence[str] = ()


def metric_title(metric: str, entry: Entry = UNDEFINED) -> str:
    """A metric as people call it, with the unit of its entry; that of a class ends with the name of the class.

    >>> metric_title("auroc"), metric_title("sensitivity_torn")
    ('AUROC', 'sensitivity, torn')
    """
    if metric in TITLES:
        return title_with_unit(TITLES[metric], entry)
    for name in sorted(TITLES, key=len, reverse=True):
        if metric.startswith(f"{name}_"):
            bare = TITLES[name].replace(" (mean)", "").replace(" (macro)", "")
            return title_with_unit(f"{bare}, {metric.removeprefix(f'{name}_')}", entry)
    return title_with_unit(metric.replace("_", " "), entry)


def p_text(p: float | None) -> str:
    """A p value in three decimals.

    >>> p_text(0.0312), p_text(0.00004), p_text(None)
    ('0.031', '< 0.001', '–')
    """
    if p is None:
        return "–"
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def case_text(level: Mapping[str, Any], name: str) -> str:
    """`94 images of 25 patients`, of one level of a comparison."""
    n, patients = level["n"], level["patients"]
    units = name if n == 1 else UNITS[name]
    if name == "patient" or patients == n:
        return f"{n:,} {units}"
    return f"{n:,} {units} of {patients:,} {'patient' if patients == 1 else 'patients'}"


def model_table(inputs: ComparisonInputs, level: str) -> Table:
    """The headline metrics of every model, a row a model."""
    wanted = headlines(inputs, level)
    rows = [(name, [entry_cell(entry_of(inputs, level, name, key)) for key in wanted]) for name in inputs.names]
    heads = ["model", *(metric_title(key, entry_of(inputs, level, inputs.names[0], key)) for key in wanted)]
    of = case_text(inputs.comparison["levels"][level], level)
    return Table(caption=f"Models on the same {of}", heads=heads, rows=rows)


def every_metric_table(inputs: ComparisonInputs, level: str) -> Table:
    """All metrics, a row each and a column a model."""
    rows = []
    for metric in _metrics(inputs, level):
        entries = [entry_of(inputs, level, name, metric) for name in inputs.names]
        unit = next((entry for entry in entries if "unit" in entry), UNDEFINED)
        rows.append((metric_title(metric, unit), [entry_cell(entry) for entry in entries]))
    return Table(caption=f"Every metric, per {level}", heads=["metric", *inputs.names], rows=rows)


def _metrics(inputs: ComparisonInputs, level: str) -> list[str]:
    found = inputs.comparison["levels"][level]["metrics"].values()
    names = dict.fromkeys(name for entries in found for name, entry in entries.items() if "low" in entry)
    return [*(name for name in TITLES if name in names), *(name for name in names if name not in TITLES)]


def difference_table(inputs: ComparisonInputs, level: str) -> Table:
    """The differences of the headline metrics, a row a pair of models."""
    pairs = inputs.comparison["levels"][level]["pairs"]
    wanted = [key for key in headlines(inputs, level) if any(key in pair["differences"] for pair in pairs)]
    rows = [
        (pair_name(pair), [difference_cell(pair["differences"].get(key, UNDEFINED)) for key in wanted])
        for pair in pairs
    ]
    heads = ["models", *(metric_title(key, _first(pairs, key)) for key in wanted)]
    return Table(caption=f"Differences, per {level}", heads=heads, rows=rows)


def every_difference_table(inputs: ComparisonInputs, level: str) -> Table:
    """The differences of all metrics, a row each and a column a pair of models."""
    pairs = inputs.comparison["levels"][level]["pairs"]
    known = [key for key in _metrics(inputs, level) if any(key in pair["differences"] for pair in pairs)]
    rows = [
        (
            metric_title(key, _first(pairs, key)),
            [difference_cell(pair["differences"].get(key, UNDEFINED)) for pair in pairs],
        )
        for key in known
    ]
    return Table(caption=f"Every difference, per {level}", heads=["metric", *map(pair_name, pairs)], rows=rows)


def _first(pairs: Sequence[Mapping[str, Any]], key: str) -> Entry:
    return next((pair["differences"][key] for pair in pairs if key in pair["differences"]), UNDEFINED)


def difference_cell(entry: Entry) -> Cell:
    """A difference with its interval and p below it.

    >>> difference_cell({"value": 0.05, "low": -0.01, "high": 0.11, "p": 0.12})
    ('+0.050', ['-0.010 to +0.110', 'p = 0.120'])
    """
    if "unit" in entry and entry["value"] is not None:
        digits = measure_digits(entry)
        value = f"{entry['value']:+.{digits}f}"
        below = [] if entry["low"] is None else [f"{entry['low']:+.{digits}f} to {entry['high']:+.{digits}f}"]
    else:
        value, below = gap_cell(entry)
    return value, [*below, *p_lines("p", entry.get("p"))]


def p_lines(name: str, p: float | None) -> list[str]:
    """`p = 0.031` or `p < 0.001`; nothing where there is none."""
    if p is None:
        return []
    said = p_text(p)
    return [f"{name} {said}" if said.startswith("<") else f"{name} = {said}"]


def table_of_tests(inputs: ComparisonInputs, level: str) -> GroupedTable | None:
    """The tests of all pairs with p before and after Holm's correction; None where there are none."""
    groups = []
    for pair in inputs.comparison["levels"][level]["pairs"]:
        rows = [(f"{metric_title(test['metric'])}: {name_of_test(test)}", _test_cells(test)) for test in pair["tests"]]
        if rows:
            groups.append((pair_name(pair), rows))
    heads = ["test", "statistic", "n", "p", "p after Holm"]
    return GroupedTable(caption=f"Tests, per {level}", heads=heads, groups=groups) if groups else None


def name_of_test(test: Mapping[str, Any]) -> str:
    """What a test is called."""
    return TESTS.get(test["test"], str(test["test"]).replace("_", " "))


def _test_cells(test: Mapping[str, Any]) -> list[Cell]:
    statistic = test["statistic"]
    cases = count_cell(test["n"], "" if test["patients"] == test["n"] else counted(test["patients"], "patient"))
    more = [f"mid-p {p_text(test['p_mid'])}"] if test.get("p_mid") is not None else []
    more += [test["why"]] if test.get("why") else []
    shown = "–" if statistic is None else f"{statistic:.3g}"
    return [(shown, []), cases, (p_text(test["p"]), more), (p_text(test["p_holm"]), [])]


def sources(inputs: ComparisonInputs) -> list[tuple[str, str]]:
    """(test, where it comes from) of every test of the page, each once."""
    found: dict[str, str] = {}
    for level in inputs.comparison["levels"].values():
        for pair in level["pairs"]:
            for test in pair["tests"]:
                found.setdefault(name_of_test(test), test["source"])
    return list(found.items())


def needed_table(inputs: ComparisonInputs, level: str) -> GroupedTable | None:
    """How many patients would settle each difference that is tested; None where there is none."""
    groups, assumed = [], None
    for pair in inputs.comparison["levels"][level]["pairs"]:
        rows: list[tuple[str, list[Cell]]] = []
        for metric, needed in pair["needed"].items():
            entry = pair["differences"][metric]
            told = count_cell(needed["patients"], needed.get("why") or "")
            cells = [difference_cell({**entry, "p": None}), count_cell(entry["patients"]), told]
            rows.append((metric_title(metric), cells))
            assumed = needed
        if rows:
            groups.append((pair_name(pair), rows))
    if assumed is None:
        return None
    note = (
        f"If the true difference is the one that was seen: with so many patients like these, {assumed['power']:.0%} of "
        f"studies would find it at a two-sided level of {assumed['alpha']:g} (normal approximation, with the standard "
        "error that was seen). The difference is itself uncertain, and so is this number."
    )
    heads = ["metric", "difference", "patients here", "patients needed"]
    return GroupedTable(caption=f"Patients needed, per {level}", heads=heads, groups=groups, notes=[note])


def count_table(inputs: ComparisonInputs) -> Table | None:
    """Whom all models were tested on, by class; None without labels."""
    if not inputs.counts:
        return None
    known = any(patients is not None for _, patients in inputs.counts.values())
    rows = [
        (name, [count_cell(images), *([count_cell(patients)] if known else [])])
        for name, (images, patients) in inputs.counts.items()
    ]
    return Table(caption="Test images by class", heads=["class", "images", *(["patients"] if known else [])], rows=rows)


def setting_table(models: Sequence[ModelFacts]) -> Table | None:
    """The settings in which the experiments differ, a row each and a column a model; None where they are the same."""
    flat = [_flatten(model.experiment) for model in models]
    keys = dict.fromkeys(key for settings in flat for key in settings)
    rows: list[tuple[str, list[Cell]]] = []
    for key in keys:
        values = [settings.get(key, "–") for settings in flat]
        if len(set(values)) > 1:
            rows.append((key, [(value, []) for value in values]))
    if not rows:
        return None
    heads = ["setting", *(model.name for model in models)]
    return Table(caption="Settings that differ", heads=heads, rows=rows, words=True)


def _flatten(experiment: Mapping[str, Any], before: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for key, value in experiment.items():
        if not before and key in _UNTOLD:
            continue
        if isinstance(value, Mapping) and value:
            flat |= _flatten(value, f"{before}{key}.")
        else:
            flat[f"{before}{key}"] = value_of_setting(value)
    return flat


def value_of_setting(value: Any) -> str:
    """A setting as a file would have it; of a path to a file the name alone, which tells nothing of the machine.

    >>> value_of_setting("/images/weights/net.safetensors"), value_of_setting(None), value_of_setting(True)
    ('net.safetensors', 'null', 'true')
    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    text = hide_home(str(value))
    if "/" in text or "\\" in text:
        text = file_name(text)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def value_line(entry: Entry) -> str:
    """`0.968 [0.842–0.998]`, for the terminal."""
    value, below = entry_cell(entry)
    return f"{value} [{below[0]}]" if below and entry["low"] is not None else value_text(entry)
