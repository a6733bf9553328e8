import json

import pandas as pd
import pytest
import yaml

from medvision.config import load_experiment, show
from medvision.runs import RunFolder, read_json, write_json, write_table
from medvision.sweeps import winner
from medvision.sweeps.study import TrialRow
from medvision.sweeps.trial import run_of
from medvision.sweeps.winner import end_sweep, write_trials
from tests.folded import experiment_in
from tests.sweeps.sweep_files import begin

LR = ("optimizer.lr",)
ENTRY = {"value": 0.7, "low": 0.5, "high": 0.9, "n": 8}


def rows_of(*values: float | None) -> list[TrialRow]:
    states = ["failed" if value is None else "finished" for value in values]
    known = enumerate(zip(states, values, strict=True))
    return [TrialRow(n, state, {LR: 0.1 * (n + 1), ("x", "y"): None}, [], value, 2.5) for n, (state, value) in known]


@pytest.fixture
def sweep(tmp_path, monkeypatch):
    """A sweep whose runs are there, but for what a network would be needed for."""
    run, sweep, _ = begin(tmp_path)
    for number in range(3):
        trial = run_of(run, number)
        experiment = experiment_in(trial.path, "--evaluation.test=false", f"--optimizer.lr={0.1 * (number + 1)}")
        trial.experiment.write_text(show(experiment))
        write_table(trial.history, pd.DataFrame({"epoch": [0, 1], "val/score": [0.1, 0.2]}))
    scored = []

    def score(run: RunFolder) -> None:
        # Said before it is scored: its report tells it.
        assert run.selection.is_file()
        scored.append(run.path.name)
        write_json(run.metrics, {"val": {}, "test": {"image": {"auroc": ENTRY}, "patient": {}}})

    monkeypatch.setattr(winner, "_score_run", score)
    monkeypatch.setattr(winner, "write_sweep_report", lambda folder: folder.report.write_text("<html>"))
    return run, sweep, scored


def end(sweep, *values: float | None, test: bool = True) -> dict:
    return end_sweep(sweep[0], sweep[1], rows_of(*values), name="tries", seed=7, test=test)


def test_the_best_trial_alone_is_tested(sweep, capsys):
    run, _, scored = sweep
    found = end(sweep, 0.5, 0.8, None)
    assert scored == ["1"]
    assert found == read_json(run.sweep)
    assert found["best"] == {"trial": 1, "value": 0.8, "run": "trials/1"}
    assert found["test"] == {"auroc": ENTRY}
    assert (found["trials"], found["seconds"], found["seed"], found["method"]) == (3, 7.5, 7, "grid")
    assert found["metric"] == {"name": "val/score", "goal": "maximize"}
    assert found["parameters"]["lr"] == {"distribution": "categorical", "values": [0.1, 0.3, 0.6]}
    chosen = json.loads(run_of(run, 1).selection.read_text())
    assert chosen == {"sweep": "tries", "metric": "val/score", "goal": "maximize", "trials": 2, "value": 0.8}
    assert not run_of(run, 0).selection.exists()
    assert "best of 2 trials: trial 1, val/score 0.8000\n  optimizer.lr 0.2, x.y null" in capsys.readouterr().out


def test_the_table_of_trials(sweep):
    run, _, _ = sweep
    write_trials(run, rows_of(0.5, None))
    assert run.trials.read_text() == (
        "trial,state,epochs,seconds,value,run,optimizer.lr,x.y\n"
        "0,finished,2,2.5,0.5,trials/0,0.1,null\n"
        "1,failed,2,2.5,,trials/1,0.2,null\n"
    )


def test_the_best_experiment_is_one_that_tests_again(sweep):
    run, _, _ = sweep
    end(sweep, 0.5, 0.8, 0.6)
    text = run.best_experiment.read_text()
    assert text.startswith(
        "# val/score 0.8000 on validation, the best of 3 trials of tries\n# Run: python -m medvision.fit "
    )
    assert yaml.safe_load(text)["evaluation"]["test"] is None
    best = load_experiment([run.best_experiment], [])
    assert best.optimizer.lr == 0.2
    assert best.evaluation.test is True


def test_a_test_split_that_nobody_asks_for_is_not_looked_at(sweep):
    _, _, scored = sweep
    found = end(sweep, 0.5, test=False)
    assert (scored, found["test"], found["best"]["trial"]) == ([], None, 0)


def test_a_sweep_without_any_value_has_no_winner(sweep):
    run, _, scored = sweep
    found = end(sweep, None, None)
    assert (found["best"], found["test"], scored) == (None, None, [])
    assert not run.best_experiment.exists()
    assert run.report.is_file()


def test_every_fold_of_the_best_cross_validation_is_tested_and_pooled(sweep, monkeypatch, capsys):
    run, _, scored = sweep
    parent = run_of(run, 0)
    names = ["fold-0", "fold-1"]
    write_json(parent.plan, {"kind": "cross_validation", "folds": 2, "repeats": 1, "choose": {}, "parts": names})
    for fold in range(2):
        (parent.parts / f"fold-{fold}").mkdir(parents=True)
        write_json(RunFolder(parent.parts / f"fold-{fold}").selection, {})
    monkeypatch.setattr(winner, "score_report", lambda metrics: "all")

    def gather(run: RunFolder, parts: list) -> None:
        assert [part.name for part in parts] == scored
        write_json(run.metrics, {"test": {"study": {"auroc": ENTRY}, "image": {}}})

    monkeypatch.setattr(winner, "gather", gather)
    found = end(sweep, 0.9)
    assert scored == ["fold-0", "fold-1"]
    assert found["test"] == {"auroc": ENTRY}
    assert "2 folds pooled\nall\nnote: settings were chosen on the validation patients" in capsys.readouterr().out
    assert "# Run: python -m medvision.cross_validate " in run.best_experiment.read_text()
