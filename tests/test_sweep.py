import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import yaml

from medvision import fit, sweep
from medvision.errors import ConfigError, RunError
from medvision.runs import RunFolder, read_json, read_table
from tests.kinds import KINDS, same_weights, write_experiment
from tests.sweeps.sweep_files import write_sweep

ROOT = Path(__file__).parents[1]
METRIC = {"name": "val/auroc", "goal": "maximize"}


@pytest.fixture
def folder(tmp_path) -> Path:
    return write_experiment(tmp_path, KINDS["classification"], trainer={"max_epochs": 2, "accelerator": "cpu"})


def search(folder: Path, verb: str = "fit", **changes: object) -> Path:
    """A sweep over the drawn discs."""
    command = ["${env}", "${interpreter}", "-m", f"medvision.{verb}", str(folder / "discs.yaml"), "${args}"]
    parameters = {"optimizer.lr": {"values": [0.01, 1e-9]}}
    return write_sweep(folder, **{"command": command, "metric": METRIC, "parameters": parameters, **changes})


def start(*arguments: object) -> subprocess.Popen:
    command = [sys.executable, "-m", "medvision.sweep", *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def end(process: subprocess.Popen, code: int = 0) -> str:
    output, _ = process.communicate(timeout=300)
    assert process.returncode == code, output
    return output


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "no sweep file; for instance: python -m medvision.sweep experiments/sweeps/"),
        (["FILE", "--workers=0"], "--workers: expected a number from 1 on, got 0"),
        (["FILE", "--seed=-1"], "--seed: expected a number from 0 on"),
        (["FILE", "--resume", "latest"], "--resume takes the sweep file and the seed of the sweep itself; leave out"),
        (["--resume", "latest", "--seed", "3"], "leave out --seed=3"),
        (["missing.yaml"], "missing.yaml: no such file"),
        (["FILE", "--worker", "2"], "unknown option '--worker'; did you mean '--workers'?"),
        (["FILE", "more"], "unexpected argument 'more'"),
    ],
)
def test_mistakes_are_told_before_anything_is_made(folder, tmp_path, options, words):
    words_given = [str(search(folder)) if word == "FILE" else word for word in options]
    with pytest.raises(ConfigError) as caught:
        sweep.main([*words_given, f"--output={tmp_path / 'runs'}"])
    assert words in str(caught.value)
    assert not (tmp_path / "runs").exists()


def test_a_search_space_of_another_experiment_leaves_no_folder(folder, tmp_path):
    file = search(folder, parameters={"optimizer.rl": {"values": [1]}})
    with pytest.raises(ConfigError, match="unknown setting 'optimizer.rl'"):
        sweep.main([str(file), f"--output={tmp_path / 'runs'}"])
    assert not (tmp_path / "runs").exists()


def test_a_sweep_that_is_not_there(tmp_path):
    with pytest.raises(RunError, match="no sweep here"):
        sweep.main(["--resume", "latest", f"--output={tmp_path}"])
    with pytest.raises(RunError, match="no sweep here"):
        sweep.main(["--resume", str(tmp_path)])


def test_mistakes_do_not_wait_for_torch():
    code = "import sys; import medvision.sweep; print({'torch', 'optuna'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"


@pytest.mark.slow
def test_a_sweep_chooses_on_validation_and_tests_its_winner_once(folder, tmp_path):
    told = end(start(search(folder), "--workers", 2, "--output", tmp_path / "runs"))
    (found,) = map(RunFolder, (tmp_path / "runs" / "sweep-tries").glob("2*"))
    summary, trials = read_json(found.sweep), pd.read_csv(found.trials)
    assert list(trials["state"]) == ["finished"] * 2
    for number in range(2):
        run = RunFolder(found.path / trials["run"][number])
        assert trials["value"][number] == read_table(run.history)["val/auroc"].max()
        assert yaml.safe_load(run.experiment.read_text())["optimizer"]["lr"] == trials["optimizer.lr"][number]
        tested = number == summary["best"]["trial"]
        assert set(read_json(run.metrics)) == ({"val", "test"} if tested else {"val"})
        assert set(read_table(run.predictions)["split"]) == set(read_json(run.metrics))
        assert run.selection.is_file() == tested
    winner = RunFolder(found.path / summary["best"]["run"])
    assert summary["best"]["value"] == trials["value"].max()
    assert summary["test"] == read_json(winner.metrics)["test"]["image"]
    # The experiment that is left behind gives the winner again, with its test split.
    again = fit.main([str(found.best_experiment), f"--output={tmp_path / 'again'}"])
    assert same_weights(winner.best, again.best)
    assert read_json(again.metrics)["test"] == read_json(winner.metrics)["test"]
    assert f"report: {found.report}" in told
    # Nothing is left to do, and nothing is done.
    before = winner.metrics.stat().st_mtime_ns
    assert "this sweep is finished" in end(start("--resume", "latest", "--output", tmp_path / "runs"))
    assert winner.metrics.stat().st_mtime_ns == before


@pytest.mark.slow
def test_a_sweep_over_a_cross_validation(folder, tmp_path):
    options = ["--split.folds=2", "--split.val=0.3"]
    file = search(folder, "cross_validate")
    content = yaml.safe_load(file.read_text())
    content["command"][-1:-1] = options
    file.write_text(yaml.safe_dump(content))
    told = end(start(file, "--workers", 2, "--output", tmp_path / "runs"))
    (found,) = map(RunFolder, (tmp_path / "runs" / "sweep-tries").glob("2*"))
    summary, trials = read_json(found.sweep), pd.read_csv(found.trials)
    for number in range(2):
        parent = RunFolder(found.path / trials["run"][number])
        best = [read_table(RunFolder(part).history)["val/auroc"].max() for part in sorted(parent.parts.glob("fold-*"))]
        assert trials["value"][number] == pytest.approx(sum(best) / 2)
        assert len(best) == 2
        assert parent.predictions.is_file() == (number == summary["best"]["trial"])
    winner = RunFolder(found.path / summary["best"]["run"])
    assert sorted(read_table(winner.predictions)["image"]) == sorted(read_table(winner.split)["image"])
    assert summary["test"] == read_json(winner.metrics)["test"]["image"]
    assert "2 folds pooled" in told


@pytest.mark.slow
def test_a_killed_sweep_goes_on_with_its_trainings(folder, tmp_path):
    changes = {"parameters": {"optimizer.lr": {"values": [0.01]}}}
    file = search(folder, **changes)
    content = yaml.safe_load(file.read_text())
    content["command"][-1:-1] = ["--trainer.max_epochs=40"]
    file.write_text(yaml.safe_dump(content))
    process = start(file, "--output", tmp_path / "runs")
    while not (found := list(tmp_path.glob("runs/sweep-tries/2*/trials/0/history.csv"))):
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    time.sleep(1)
    before = pd.read_csv(found[0])
    assert len(before) < 40
    end(start("--resume", "latest", "--output", tmp_path / "runs"))
    history = pd.read_csv(found[0])
    assert list(history["epoch"]) == list(range(40))
    # With the very seconds that they took in the first process; its last one may have had no checkpoint yet.
    kept = len(before) - 1
    pd.testing.assert_frame_equal(history[:kept], before[:kept])
    assert pd.read_csv(found[0].parents[2] / "trials.csv")["state"].tolist() == ["finished"]
