"""What each model of a comparison took: time to train and to answer, parameters, memory, the device."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from medvision.reports.cells import Cell, Table
from medvision.reports.comparison_inputs import ModelFacts
from medvision.reports.cost import time_text
from medvision.reports.data_sentences import counted, listed


def model_costs(model: ModelFacts) -> dict[str, Any]:
    """What one model took, over all of its runs.

    Args:
        model: with the environments of its runs.

    Returns:
        training_seconds (the sum over runs), seconds_per_image (their mean), parameters, trained_parameters,
        peak_memory_mib and peak_gpu_memory_mib (the largest), each None where not every run has measured it; runs,
        their number; device, the names of all.
    """
    return {
        "training_seconds": _over(model, "training_seconds", np.sum),
        "seconds_per_image": _over(model, "seconds_per_image", np.mean),
        "parameters": _of_model(model, "parameters"),
        "trained_parameters": _of_model(model, "trained_parameters"),
        "peak_memory_mib": _over(model, "peak_memory_mib", np.max),
        "peak_gpu_memory_mib": _over(model, "peak_gpu_memory_mib", np.max),
        "runs": len(model.runs),
        "device": listed(sorted({str(run["device"]) for run in model.runs if run.get("device")})),
    }


def _over(model: ModelFacts, key: str, unite: Any) -> float | None:
    values = [run.get(key) for run in model.runs]
    known = [value for value in values if value is not None]
    return float(unite(known)) if known and len(known) == len(values) else None


def _of_model(model: ModelFacts, key: str) -> int | None:
    values = {(run.get("model") or {}).get(key) for run in model.runs}
    # Folds with other classes would have another last layer; the largest is told.
    known = [value for value in values if value is not None]
    return max(known) if known else None


def cost_table(models: Sequence[ModelFacts]) -> Table:
    """Time, parameters and memory, a row a model; what nobody has measured has no column."""
    costs = [model_costs(model) for model in models]
    columns: dict[str, list[Cell]] = {
        "training": [_training(cost) for cost in costs],
        "an image": [_image(cost) for cost in costs],
        "parameters": [_parameters(cost) for cost in costs],
        "memory": [_gibibytes(cost["peak_memory_mib"]) for cost in costs],
        "GPU memory": [_gibibytes(cost["peak_gpu_memory_mib"]) for cost in costs],
        "device": [(cost["device"] or "–", []) for cost in costs],
    }
    told = {head: cells for head, cells in columns.items() if any(value != "–" for value, _ in cells)}
    rows = [(model.name, [cells[k] for cells in told.values()]) for k, model in enumerate(models)]
    notes = ["Time an image is that of the prediction, with reading and saving. Memory: the most at a time."]
    if len({cost["device"] for cost in costs}) > 1:
        notes.append("The models ran on different devices: their times cannot be compared.")
    return Table(caption="Time, parameters and memory", heads=["model", *told], rows=rows, notes=notes)


def _training(cost: dict[str, Any]) -> Cell:
    seconds, runs = cost["training_seconds"], cost["runs"]
    if seconds is None:
        return "–", []
    return time_text(seconds), [f"{counted(runs, 'run')}, {time_text(seconds / runs)} each"] if runs > 1 else []


def _image(cost: dict[str, Any]) -> Cell:
    each = cost["seconds_per_image"]
    return ("–", []) if each is None else (f"{1000 * each:.3g} ms", [])


def _parameters(cost: dict[str, Any]) -> Cell:
    size, trained = cost["parameters"], cost["trained_parameters"]
    if size is None:
        return "–", []
    return f"{size:,}", [f"{trained:,} trained"] if trained is not None and trained != size else []


def _gibibytes(mebibytes: float | None) -> Cell:
    return ("–", []) if mebibytes is None else (f"{mebibytes / 1024:.3g} GiB", [])
