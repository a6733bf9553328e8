import time
from pathlib import Path

import pandas as pd
import pytest
import yaml

from medvision.errors import RunError
from medvision.runs import RunFolder, write_json, write_table
from medvision.sweeps.file import Metric
from medvision.sweeps.lease import is_alive
from medvision.sweeps.trial import Trial, best_value, epoch_values, finite, trial_value, was_ended
from tests.sweeps.sweep_files import begin

HIGHER, LOWER = Metric(name="val/score", goal="maximize"), Metric(name="val/score")
NAN = float("nan")


def started(folder: Path, point: dict, **environment: str) -> Trial:
    run, sweep, _ = begin(folder)
    run.trial_runs.mkdir()
    return Trial(run, sweep, 4, point, environment)


def ended(trial: Trial) -> int:
    until = time.monotonic() + 20
    while (code := trial.exit_code()) is None:
        assert time.monotonic() < until
        time.sleep(0.01)
    return code


def wait_for_epochs(trial: Trial, count: int) -> None:
    until = time.monotonic() + 20
    while len(trial.values()) < count:
        assert time.monotonic() < until
        time.sleep(0.01)


def test_a_trial_runs_the_command_in_its_folder(tmp_path):
    trial = started(tmp_path, {("lr",): 0.3})
    assert ended(trial) == 0
    # The curve of the played training: its top, less a half, a quarter, …
    assert trial.values() == pytest.approx([0.5, 0.75, 0.875, 0.9375])
    assert trial.run.path == tmp_path / "sweep-tries" / "1" / "trials" / "4"
    assert trial_value(trial.run, HIGHER) == 0.9375
    assert trial_value(trial.run, LOWER) == 0.5


def test_the_process_finds_values_with_their_types_and_no_other_sweep(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_SWEEP_ID", "of another sweep")
    monkeypatch.setenv("MEDVISION_RUN_FOLDER", "of another run")
    monkeypatch.delenv("WANDB_MODE", raising=False)
    run, sweep, _ = begin(tmp_path, command=["/usr/bin/env", "PROGRAM=medvision.fit"])
    run.trial_runs.mkdir()
    point = {("a.b",): 1e-5, ("model", "x"): None, ("model", "y"): [True, "1e-5"]}
    trial = Trial(run, sweep, 0, point, {"GPU": "3"})
    assert ended(trial) == 0
    told = dict(line.split("=", 1) for line in trial._log.read_text().splitlines() if "=" in line)
    values = yaml.safe_load(Path(told["WANDB_SWEEP_PARAM_PATH"]).read_text())
    assert values == {"a.b": {"value": 1e-5}, "model": {"value": {"x": None, "y": [True, "1e-5"]}}}
    assert (told["MEDVISION_SWEEP"], told["MEDVISION_RUN"]) == (str(run.path), str(trial.run.path))
    assert (told["WANDB_MODE"], told["GPU"]) == ("disabled", "3")
    assert not {"WANDB_SWEEP_ID", "MEDVISION_RUN_FOLDER"} & told.keys()


def test_a_trial_that_is_stopped_ends_well_and_one_that_is_interrupted_goes_on(tmp_path):
    trial = started(tmp_path, {("lr",): 0.3}, FAKE_EPOCHS="500", FAKE_PAUSE="0.02")
    wait_for_epochs(trial, 2)
    trial.stop()
    assert ended(trial) == 0
    assert 2 <= len(trial.values()) < 500
    (tmp_path / "other").mkdir()
    other = started(tmp_path / "other", {("lr",): 0.3}, FAKE_EPOCHS="500", FAKE_PAUSE="0.02")
    wait_for_epochs(other, 1)
    other.interrupt()
    assert was_ended(ended(other))


def test_a_trial_is_killed_with_all_of_its_processes(tmp_path):
    trial = started(tmp_path, {("lr",): 0.3}, FAKE_EPOCHS="500", FAKE_PAUSE="0.05")
    wait_for_epochs(trial, 1)
    computing = int((trial.run.path / "computed.txt").read_text().split()[1])
    assert is_alive(computing)
    trial.kill()
    # The system takes a moment to clear away what was killed.
    deadline = time.monotonic() + 10
    while is_alive(computing) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not is_alive(computing)
    assert was_ended(trial.exit_code())


def test_a_failure_is_told_in_the_last_words(tmp_path):
    trial = started(tmp_path, {("lr",): 0.3, ("mistake",): True})
    assert ended(trial) == 2
    assert not was_ended(2)
    assert trial.last_words() == "no such layer"
    assert trial.values() == []


def test_the_best_epoch_counts():
    assert best_value([0.1, NAN, 0.4, 0.2], HIGHER) == 0.4
    assert best_value([0.3, float("-inf"), 0.4], LOWER) == 0.3
    assert best_value([NAN], HIGHER) is None
    assert best_value([], LOWER) is None
    assert finite([1.0, NAN, float("inf"), 2.0]) == [1.0, 2.0]


def write_run(path: Path, values: list[float]) -> RunFolder:
    run = RunFolder(path)
    path.mkdir(parents=True)
    write_table(run.history, pd.DataFrame({"epoch": range(len(values)), "val/score": values, "val/loss": values}))
    return run


def test_a_cross_validation_counts_by_the_mean_of_its_folds(tmp_path):
    parent = RunFolder(tmp_path)
    write_json(parent.plan, {"kind": "cross_validation", "folds": 2, "parts": ["fold-0", "fold-1"]})
    write_run(parent.parts / "fold-0", [0.2, 0.6, 0.1])
    write_run(parent.parts / "fold-1", [0.3, NAN])
    assert trial_value(parent, HIGHER) == pytest.approx((0.6 + 0.3) / 2)
    assert trial_value(parent, LOWER) == pytest.approx((0.1 + 0.3) / 2)
    # A fold without a value leaves the whole without one: the others alone would be another question.
    write_table(RunFolder(parent.parts / "fold-1").history, pd.DataFrame({"val/score": [NAN]}))
    assert trial_value(parent, HIGHER) is None


def test_a_metric_that_nobody_logs(tmp_path):
    with pytest.raises(RunError, match="metric: the training logs no 'val/auc'; known: val/score, val/loss"):
        epoch_values(write_run(tmp_path / "a", [1.0]), "val/auc")
