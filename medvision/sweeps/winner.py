"""The end of a sweep: its tables, its best trial, and the test split, which is scored once and for that trial alone."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from medvision.config import load_experiment, show
from medvision.folds import gather, planned_parts
from medvision.parts import part_folder
from medvision.reports.run_report import write_report
from medvision.reports.sweep_page import write_sweep_report
from medvision.results import evaluate_splits
from medvision.runs import RunFolder, read_json, read_table, replace_text, write_json, write_table
from medvision.scoring import score_report
from medvision.sweeps.display import best_row, setting_text
from medvision.sweeps.file import Sweep
from medvision.sweeps.points import flat
from medvision.sweeps.program import read_program
from medvision.sweeps.study import TrialRow
from medvision.sweeps.trial import run_of
from medvision.training import build_datamodule, check_same_data

# By which cases a result is told, where it has several.
LEVELS = ("study", "image")
CAUTION = (
    "note: settings were chosen on the validation patients of all folds, each of whom is tested in another fold, so "
    "that these figures flatter a little; medvision.cross_validate --choose chooses anew for every fold"
)


def write_trials(folder: RunFolder, rows: Sequence[TrialRow]) -> None:
    """Write `trials.csv`.

    Args:
        folder: of the sweep.
        rows: its trials.
    """
    table = [
        {
            "trial": row.number,
            "state": row.state,
            "epochs": _epochs(run_of(folder, row.number)),
            "seconds": row.seconds,
            "value": row.value,
            "run": run_of(folder, row.number).path.relative_to(folder.path).as_posix(),
            **{name: "null" if value is None else value for name, value in flat(row.point).items()},
        }
        for row in rows
    ]
    write_table(folder.trials, pd.DataFrame(table))


def _epochs(run: RunFolder) -> int:
    """That a trial has finished; of a cross-validation all of its folds."""
    return sum(len(read_table(file)) for file in [run.history, *run.parts.glob("*/history.csv")] if file.is_file())


def end_sweep(
    folder: RunFolder, sweep: Sweep, rows: Sequence[TrialRow], *, name: str, seed: int, test: bool
) -> dict[str, Any]:
    """Write what a sweep has found; score the test split of its best trial.

    Args:
        folder: of the sweep.
        sweep: what was searched.
        rows: its trials, all of them over.
        name: of the sweep.
        seed: of the sweep.
        test: score the test split.

    Returns:
        `sweep.json`.
    """
    metric, best = sweep.file.metric, best_row(rows, sweep.file.metric)
    command = list(map(str, sweep.file.command))
    rule = sweep.file.early_terminate
    found: dict[str, Any] = {
        "name": name,
        "method": sweep.file.method,
        "metric": {"name": metric.name, "goal": metric.goal},
        "experiment_files": list(read_program(command, sweep.file.program).files),
        "command": command,
        "parameters": {".".join(key): dict(spec) for key, spec in sweep.specs.items()},
        "early_terminate": None if rule is None else rule.model_dump(mode="json", exclude_none=True),
        "seed": seed,
        "trials": len(rows),
        "best": None,
        "test": None,
        "seconds": round(sum(row.seconds for row in rows), 1),
    }
    write_trials(folder, rows)
    if best is not None:
        run = run_of(folder, best.number)
        inside = run.path.relative_to(folder.path).as_posix()
        found["best"] = {"trial": best.number, "value": best.value, "run": inside}
        scored = sum(row.value is not None for row in rows)
        choice = {"metric": metric.name, "goal": metric.goal, "trials": scored, "value": best.value}
        _write_best(folder, run, f"{metric.name} {best.value:.4f} on validation, the best of {scored} trials of {name}")
        write_json(run.selection, {"sweep": name, **choice})
        print(f"\nbest of {scored} trials: trial {best.number}, {metric.name} {best.value:.4f}")
        print(f"  {setting_text(best.point)}", flush=True)
        if test:
            found["test"] = _score_test(run)
        elif run.finished:
            # Its page says now among how many it was chosen.
            write_report(run)
    write_json(folder.sweep, found)
    write_sweep_report(folder)
    return found


def _write_best(folder: RunFolder, run: RunFolder, origin: str) -> None:
    """The experiment of the best trial; on its own it scores the test split, as every experiment does."""
    experiment = load_experiment([run.experiment], [])
    evaluation = experiment.evaluation.model_copy(update={"test": None})
    text = show(experiment.model_copy(update={"evaluation": evaluation}))
    verb = "cross_validate" if run.plan.is_file() else "fit"
    command = f"python -m medvision.{verb} {folder.best_experiment.name}"
    replace_text(folder.best_experiment, f"# {origin}\n# Run: {command}\n{text}")


def _score_test(run: RunFolder) -> dict[str, Any]:
    """The metrics of the test split of a run; of a cross-validation those of all folds together."""
    experiment = load_experiment([run.experiment], [])
    if run.plan.is_file():
        parts = planned_parts(run, experiment)
        for part in parts:
            _score_run(part_folder(run, part))
        gather(run, parts)
        print(f"\n{len(parts)} folds pooled\n{score_report(read_json(run.metrics)['test'])}\n{CAUTION}")
    else:
        _score_run(run)
    metrics = read_json(run.metrics)["test"]
    level = next(level for level in LEVELS if level in metrics)
    return dict(metrics[level])


def _score_run(run: RunFolder) -> None:
    experiment = load_experiment([run.experiment], [])
    datamodule = build_datamodule(experiment)
    check_same_data(run, datamodule)
    evaluate_splits(experiment, run, datamodule, ["test"])
