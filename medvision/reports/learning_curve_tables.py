"""Tables of learning curves, from `learning_curve.json`."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from medvision.evaluation.text import UNITS
from medvision.reports.cells import Cell, Table, count_cell, entry_cell, entry_digits, gap_cell
from medvision.reports.comparison_tables import TESTS, GroupedTable, metric_title, p_text
from medvision.reports.cost import time_text
from medvision.reports.data_sentences import counted

Entry = Mapping[str, Any]
Found = Mapping[str, Any]

UNDEFINED: Entry = {"value": None, "low": None, "high": None}
# What is told before all other metrics, as far as it is there.
FIRST = ("auroc", "balanced_accuracy", "accuracy", "dice", "hd95")
# How many times the largest size the table looks ahead.
AHEAD = (2, 5, 10)


def size_label(images: int | str) -> str:
    """`3,000 images`."""
    return counted(int(images), "image")


def metric_entry(level: Found, model: str, size: int, metric: str) -> Entry:
    """The entry of a metric; without a value where there is none."""
    found: Entry = level["metrics"].get(model, {}).get(str(size), {}).get(metric, UNDEFINED)
    return found


def curve_table(found: Found, name: str) -> GroupedTable:
    """What decides first and the time it took, a group a model and a row a size."""
    level = found["levels"][name]
    metrics = [metric for metric in dict.fromkeys([level["headline"], *FIRST]) if metric in _metrics(level)]
    return _by_size(found, level, metrics, f"By number of training images, per {name}", timed=True)


def every_metric_table(found: Found, name: str) -> GroupedTable:
    """All metrics that are told by size."""
    level = found["levels"][name]
    caption = f"Every metric by number of training images, per {name}"
    return _by_size(found, level, _metrics(level), caption, timed=False)


def _metrics(level: Found) -> list[str]:
    sizes = (entries for sizes in level["metrics"].values() for entries in sizes.values())
    return list(dict.fromkeys(metric for entries in sizes for metric in entries))


def _by_size(found: Found, level: Found, metrics: Sequence[str], caption: str, *, timed: bool) -> GroupedTable:
    groups: list[tuple[str, list[tuple[str, list[Cell]]]]] = []
    units: dict[str, Entry] = {}
    for model, facts in found["models"].items():
        rows = []
        for size in found["sizes"]:
            entries = {metric: metric_entry(level, model, size, metric) for metric in metrics}
            units |= {metric: entry for metric, entry in entries.items() if "unit" in entry}
            cells = [_spread_cell(entry) for entry in entries.values()]
            cells += [_time_cell(facts["costs"][str(size)]["training_seconds"])] if timed else []
            rows.append((size_label(size), cells))
        groups.append((model, rows))
    titles = [metric_title(metric, units.get(metric, UNDEFINED)) for metric in metrics]
    return GroupedTable(
        caption=caption, heads=["trained on", *titles, *(["time to train"] if timed else [])], groups=groups
    )


def _spread_cell(entry: Entry) -> Cell:
    value, below = entry_cell(entry)
    spread = entry.get("sd")
    return value, below if spread is None else [*below, f"SD {spread:.{entry_digits(entry)}f}"]


def difference_table(found: Found, name: str) -> GroupedTable | None:
    """The paired differences in the headline metric, a group a pair and a row a size; None for one model."""
    level = found["levels"][name]
    groups: dict[str, list[tuple[str, list[Cell]]]] = {}
    for size, pairs in (level.get("pairs") or {}).items():
        for pair in pairs:
            entry = pair["differences"].get(level["headline"], UNDEFINED)
            tests = [test for test in pair["tests"] if test["metric"] == level["headline"]]
            p = entry.get("p")
            cells: list[Cell] = [gap_cell(entry), (p_text(p), [])]
            adjusted = tests[0].get("p_holm") if tests else None
            cells.append((p_text(adjusted), [] if adjusted is None else [TESTS[tests[0]["test"]]]))
            groups.setdefault(f"{pair['b']} − {pair['a']}", []).append((size_label(size), cells))
    if not groups:
        return None
    return GroupedTable(
        caption=f"Differences in {metric_title(level['headline'])}, per {name}",
        heads=["trained on", "difference", "p of its interval", "p of a test, Holm"],
        groups=list(groups.items()),
        notes=["Holm’s correction is over all tests of this level: all sizes, pairs and metrics that have a test."],
    )


def fit_table(found: Found, name: str) -> Table | None:
    """The power laws: their numbers, and the metric that they expect of more images; None where none was fitted."""
    level = found["levels"][name]
    fits = {model: fit for model, fit in level["fits"].items() if fit and "curve" in fit}
    if not fits:
        return None
    largest = found["sizes"][-1]
    ahead = [times for times in AHEAD if any(fit["asymptote"] for fit in fits.values())]
    rows = []
    for model, fit in fits.items():
        ceiling = _ceiling(fit["a"]) if fit["asymptote"] else UNDEFINED
        expected = [ceiling, *(_nearest(fit["curve"], times * largest) for times in ahead)]
        # What is expected is not known better than what was measured.
        digits = entry_digits(metric_entry(level, model, largest, level["headline"]))
        rows.append((model, [entry_cell(fit["c"], 2), *(entry_cell(point, digits) for point in expected)]))
    heads = ["model", "exponent c", "at no end of images", *(f"at {times * largest:,} images" for times in ahead)]
    return Table(caption=f"Power laws of {metric_title(level['headline'])}, per {name}", heads=heads, rows=rows)


def _ceiling(floor: Entry) -> Entry:
    """The metric where the error is as low as it gets."""
    ends = {"value": "value", "low": "high", "high": "low"}
    return {key: None if floor[other] is None else 1 - floor[other] for key, other in ends.items()}


def _nearest(curve: Sequence[Entry], images: float) -> Entry:
    """The point of a curve nearest to a number of images, of those that lie within a step of it."""
    nearest = min(curve, key=lambda point: abs(np.log(point["images"] / images)))
    return nearest if abs(np.log(nearest["images"] / images)) < np.log(1.2) else UNDEFINED


def cost_table(found: Found) -> Table:
    """What an answer takes, a row a model."""
    rows = [
        (
            name,
            [
                _image_cell(model),
                count_cell(model["parameters"]),
                _memory_cell(model, "peak_memory_mib"),
                _memory_cell(model, "peak_gpu_memory_mib"),
                (model["device"] or "–", []),
            ],
        )
        for name, model in found["models"].items()
    ]
    return Table(
        caption="Time an image, parameters and memory",
        heads=["model", "an image", "parameters", "memory", "GPU memory", "device"],
        rows=rows,
        notes=["Time an image is that of the prediction, with reading and saving. Memory: the most at a time."],
    )


def _memory_cell(model: Found, name: str) -> Cell:
    known = [value for costs in model["costs"].values() for value in costs[name] if value is not None]
    return (f"{max(known) / 1024:.3g} GiB", []) if known else ("–", [])


def _time_cell(seconds: Sequence[float | None]) -> Cell:
    known = [value for value in seconds if value is not None]
    if not known:
        return "–", []
    spread = [f"{time_text(min(known))} to {time_text(max(known))}"] if len(known) > 1 else []
    return time_text(float(np.mean(known))), spread


def _image_cell(model: Found) -> Cell:
    known = [each for costs in model["costs"].values() for each in costs["seconds_per_image"] if each is not None]
    return (f"{1000 * float(np.mean(known)):.3g} ms", []) if known else ("–", [])


def subset_table(found: Found) -> Table:
    """Who was trained on at every size; where repeats differ, from the least to the most."""
    classes = [str(name) for name in found["classes"]]
    group = found["group"]
    units = [] if group == "image" else [UNITS.get(group, f"{group}s")]
    rows = []
    for subset in found["training"]:
        cells: list[Cell] = [] if group == "image" else [(_span(subset["groups"]), [])]
        cells += [(_span([counts.get(name, 0) for counts in subset["classes"]]), []) for name in classes]
        rows.append((size_label(subset["images"]), cells))
    heads = ["trained on", *units, *classes]
    return Table(caption="Training images by size and class", heads=heads, rows=rows)


def _span(counts: Sequence[int]) -> str:
    if not counts:
        return "–"
    low, high = min(counts), max(counts)
    return f"{low:,}" if low == high else f"{low:,}–{high:,}"
