"""Sweeps with the real `wandb` command line, agents and client, against a server on the loopback."""

import json
import subprocess
import sys
import time
from pathlib import Path
from tempfile import NamedTemporaryFile

import pandas as pd
import pytest
import torch
import yaml

from medvision.runs import RunFolder, read_table
from tests.kinds import KINDS, write_experiment
from tests.wandb_backend import Run
from tests.wandb_server import WandbServer

pytestmark = pytest.mark.slow
Started = tuple[subprocess.Popen, Path]
ROOT = Path(__file__).parents[1]
SWEEP_FILES = sorted((ROOT / "experiments" / "sweeps").glob("*.yaml"))
# Each value differs from what the experiment file below says. The last run is long enough to be stopped.
SWEEP = """
project: discs
method: grid
metric: {name: val/loss, goal: minimize}
command: ["${env}", "${interpreter}", -m, medvision.fit, discs.yaml, --output=runs, "${args}"]
parameters:
  trainer.max_epochs: {values: [3000, 2, 3]}
  optimizer.weight_decay: {value: 1.0e-5}
  optimizer.lr: {value: 2e-3}              # text, as PyYAML reads it
  optimizer.layer_decay: {value: null}
  evaluation.temperature: {value: false}
  question: {value: "[is it flat?]"}
  model: {parameters: {class_weights: {value: [1, 2.5]}, dropout: {value: 0.25}}}
"""
FOLDS = """
project: discs
method: grid
metric: {name: val/loss, goal: minimize}
command: ["${env}", "${interpreter}", -m, medvision.cross_validate, discs.yaml, --output=runs, "${args}"]
parameters:
  optimizer.lr: {values: [0.003]}
  split.folds: {value: 2}
  trainer.max_epochs: {value: 2}
"""


@pytest.fixture
def folder(tmp_path) -> Path:
    return write_experiment(tmp_path, KINDS["classification"], optimizer={"lr": 0.1, "layer_decay": 0.5})


def start(server: WandbServer, folder: Path, *command: str) -> Started:
    home = folder / "home"
    home.mkdir(exist_ok=True)
    environment = server.environment(home) | {
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
        # After half a minute an agent kills a run that it has told to stop; a busy machine may need longer.
        "WANDB_AGENT_KILL_DELAY": "120",
    }
    # A pipe that nobody reads would hold up one agent while the other is waited for.
    with NamedTemporaryFile(dir=home, suffix=".log", delete=False) as output:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT)
    return process, Path(output.name)


def finish(started: Started) -> str:
    process, output = started
    try:
        process.wait(timeout=280)
    except subprocess.TimeoutExpired:
        for _ in range(3):  # the third time an agent kills its run
            process.terminate()
            time.sleep(1)
        process.kill()
    assert process.returncode == 0, output.read_text()
    return output.read_text()


def run_folder(folder: Path, run: Run) -> RunFolder:
    """Where the run that W&B knows has left its files."""
    (logs,) = folder.glob(f"runs/discs/2*/logs/wandb/*run-*-{run.name}")
    return RunFolder(logs.parents[2])


def test_two_agents_share_a_sweep(folder):
    (folder / "sweep.yaml").write_text(SWEEP)
    with WandbServer() as server:
        server.stop_after(0, rows=2)
        finish(start(server, folder, "wandb", "sweep", "sweep.yaml"))
        ((name, sweep),) = server.sweeps.items()
        agents = [start(server, folder, "wandb", "agent", f"clinic/discs/{name}") for _ in range(2)]
        outputs = [finish(agent) for agent in agents]
        assert not server.unknown
    # An agent ends with code 0 whatever became of its runs.
    assert [run.exitcode for run in server.runs.values()] == [0, 0, 0], outputs
    assert {run.agent for run in server.runs.values()} == set(sweep.agents)
    assert len(sweep.agents) == 2
    assert [run.chosen["trainer.max_epochs"] for run in server.runs.values()] == [3000, 2, 3]
    for run in server.runs.values():
        check_values(run, run_folder(folder, run))
        check_tables(run_folder(folder, run))
        check_metrics(run, run_folder(folder, run))
    assert [run.told_to_stop for run in server.runs.values()] == [True, False, False]
    epochs = [len(pd.read_csv(run_folder(folder, run).history)) for run in server.runs.values()]
    assert 2 <= epochs[0] < 3000
    assert epochs[1:] == [2, 3]


def check_values(run: Run, folder: RunFolder) -> None:
    """What the server chose is what the run used, and what W&B has recorded."""
    used = yaml.safe_load(folder.experiment.read_text())
    assert run.chosen["optimizer.lr"] == "2e-3"
    assert used["optimizer"]["lr"] == 0.002
    for name in ("optimizer.weight_decay", "optimizer.layer_decay", "evaluation.temperature", "trainer.max_epochs"):
        section, key = name.split(".")
        assert used[section][key] == run.chosen[name]
        assert type(used[section][key]) is type(run.chosen[name])
    assert used["question"] == run.chosen["question"]
    assert used["model"] | run.chosen["model"] == used["model"]
    recorded = {section: run.config[section] for section in ("optimizer", "model", "evaluation", "split")}
    assert recorded == {section: used[section] for section in recorded}


def check_tables(folder: RunFolder) -> None:
    """A run of a sweep ends complete, also where it was stopped, and has not looked at the test split."""
    assert set(read_table(folder.split)["split"]) == {"train", "val", "test"}
    assert set(read_table(folder.predictions)["split"]) == {"val"}
    assert set(json.loads(folder.metrics.read_text())) == {"val"}
    assert torch.load(folder.best, weights_only=True)["epoch"] < len(pd.read_csv(folder.history))
    assert folder.finished


def check_metrics(run: Run, folder: RunFolder) -> None:
    """W&B has a value for every epoch, the same as the file beside the run."""
    ours = pd.read_csv(folder.history)["val/loss"]
    theirs = [row["val/loss"] for row in run.history if "val/loss" in row]
    assert theirs == pytest.approx(list(ours), abs=1e-5)


def test_a_cross_validation_is_one_run_of_a_sweep(folder):
    (folder / "sweep.yaml").write_text(FOLDS)
    with WandbServer() as server:
        finish(start(server, folder, "wandb", "sweep", "sweep.yaml"))
        output = finish(start(server, folder, "wandb", "agent", "clinic/discs/sweep0"))
    (run,) = server.runs.values()
    assert run.exitcode == 0, output
    (parent,) = folder.glob("runs/discs/2*")
    folds = [pd.read_csv(parent / "parts" / name / "history.csv") for name in ("fold-0", "fold-1")]
    best = [min(history["val/loss"]) for history in folds]
    (row,) = [row for row in run.history if "val/loss" in row]
    assert row["val/loss"] == pytest.approx(sum(best) / 2, abs=1e-6)
    assert all(max(history["epoch"]) < 2 for history in folds)
    for name in ("fold-0", "fold-1"):
        check_tables(RunFolder(parent / "parts" / name))
        used = yaml.safe_load((parent / "parts" / name / "experiment.yaml").read_text())
        assert used["optimizer"]["lr"] == run.chosen["optimizer.lr"] == 0.003
    assert not (parent / "metrics.json").exists()


def test_an_offline_run_is_sent_later(folder):
    with WandbServer() as server:
        fit = [sys.executable, "-m", "medvision.fit", "discs.yaml", "--output=runs", "--tracking.wandb=offline"]
        finish(start(server, folder, *fit))
        assert server.requests == []
        (record,) = folder.glob("runs/discs/2*/logs/wandb/offline-run-*")
        finish(start(server, folder, "wandb", "sync", str(record)))
        (run,) = server.runs.values()
    assert record.name.endswith(run.name)
    assert (run.project, run.sweep, run.exitcode) == ("medvision", None, 0)
    check_metrics(run, run_folder(folder, run))
    assert run.config["optimizer"]["layer_decay"] == 0.5
    # No sweep: the test split is scored.
    assert set(json.loads(run_folder(folder, run).metrics.read_text())) == {"val", "test"}


@pytest.mark.parametrize("file", SWEEP_FILES, ids=lambda path: path.stem)
def test_wandb_takes_the_shipped_sweep_files(file, tmp_path):
    content = yaml.safe_load(file.read_text())
    with WandbServer() as server:
        output = finish(start(server, tmp_path, "wandb", "sweep", str(file)))
        (sweep,) = server.sweeps.values()
    assert "WARN" not in output.upper()
    assert f"wandb agent clinic/{content['project']}/{sweep.name}" in output
    for name, spec in content["parameters"].items():
        assert sweep.config["parameters"][name] | spec == sweep.config["parameters"][name]
    assert sweep.config["command"] == content["command"]
