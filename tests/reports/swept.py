"""Writes the folder of a finished sweep whose trials are drawn: the metric is known from the parameters."""

import math
from pathlib import Path

import numpy as np
import pandas as pd

from medvision.runs import RunFolder, write_json, write_table
from tests.reports.told import LABELS, entry

PARAMETERS = {
    "optimizer.lr": {"distribution": "log_uniform_values", "min": 1e-5, "max": 1e-1},
    "model.backbone": {"values": ["vgg_small", "resnet18", "two_layer_cnn"]},
    "model.dropout": {"min": 0.0, "max": 0.5},
    "ema.decay": {"values": [None, 0.99]},
    "trainer.max_epochs": {"value": 20},
}
BEST_RATE = 1e-3
GAIN = {"vgg_small": 0.0, "resnet18": 0.05, "two_layer_cnn": -0.08}


def draw_trials(count, *, seed=0, noise=0.01):
    """Rows of `trials.csv`: the metric falls by 0.1 a decade away from a learning rate of 1e-3."""
    random = np.random.default_rng(seed)
    rows = []
    for number in range(count):
        rate = float(10 ** random.uniform(-5, -1))
        backbone = str(random.choice(list(GAIN)))
        dropout = float(random.uniform(0, 0.5))
        value = 0.85 - 0.1 * abs(math.log10(rate / BEST_RATE)) + GAIN[backbone] + noise * random.normal()
        state = "stopped" if value < 0.7 else "finished"
        row = {"trial": number, "state": state, "epochs": 4 if state == "stopped" else 20, "seconds": 61.5}
        row |= {"value": value, "run": f"trials/{number}", "optimizer.lr": rate, "model.backbone": backbone}
        rows.append({**row, "model.dropout": dropout, "ema.decay": [None, 0.99][number % 2], "trainer.max_epochs": 20})
    return pd.DataFrame(rows)


def results(*, folds=False):
    """The winner's `metrics.json`: validation is better than test."""
    validation = {**LABELS, "f1": entry(0.85, 0.75, 0.92, n=60, patients=15)}
    validation = {name: {**found, "n": 60, "patients": 15} for name, found in validation.items()}
    tested = {**LABELS, "f1": entry(0.8, 0.6, 0.9)}
    return {"test": {"image": tested}} if folds else {"val": {"image": validation}, "test": {"image": tested}}


def write_sweep(
    path: Path, trials=None, *, goal="maximize", parameters=None, simulated=False, folds=False, metrics=None, **changes
):
    """The folder of a sweep as its command leaves it.

    Args:
        path: new.
        trials: the table; None draws 24.
        goal: of the metric.
        parameters: of the sweep file; None takes those of the drawn trials.
        simulated: the images are.
        folds: a trial is a cross-validation.
        metrics: the winner's; None takes `results`.
        changes: of `sweep.json`.
    """
    folder = RunFolder(path)
    folder.path.mkdir(parents=True)
    trials = draw_trials(24) if trials is None else trials
    write_table(folder.trials, trials)
    valued = trials.dropna(subset=["value"])
    best = None
    if len(valued):
        row = valued.loc[valued["value"].idxmax() if goal == "maximize" else valued["value"].idxmin()]
        best = {"trial": int(row["trial"]), "value": float(row["value"]), "run": row["run"]}
        write_winner(RunFolder(path / row["run"]), metrics or results(folds=folds), simulated=simulated, folds=folds)
    found = {
        "name": "knee_lr",
        "method": "random",
        "metric": {"name": "val/f1", "goal": goal},
        "experiment_files": ["experiments/knee_sections.yaml"],
        "command": ["python", "-m", "medvision.fit"],
        "parameters": PARAMETERS if parameters is None else parameters,
        "early_terminate": {"type": "hyperband", "min_iter": 2, "eta": 2},
        "seed": 7,
        "trials": len(trials),
        "best": best,
        "test": {"auroc": entry(0.912, 0.8, 0.97)} if best else None,
        "seconds": 1234.5,
    }
    write_json(folder.sweep, {**found, **changes})
    return folder


def write_winner(run, metrics, *, simulated, folds):
    """What the page reads of the winner's run folder."""
    run.path.mkdir(parents=True)
    run.experiment.write_text("name: knee\nquestion: Which section does this image show?\n")
    write_json(run.metrics, metrics)
    write_json(run.environment, {"data": {"simulated": simulated}})
    run.report.write_text("done")
    if folds:
        write_json(run.plan, {"kind": "cross_validation"})
