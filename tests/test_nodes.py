"""What started a process, and where it writes; real processes are in `test_node_processes`."""

import os
import subprocess
from pathlib import Path

import pytest
from lightning.fabric.plugins.environments import LightningEnvironment, SLURMEnvironment, TorchElasticEnvironment
from lightning.pytorch.utilities.rank_zero import rank_zero_only

from medvision import nodes
from medvision.config import Experiment
from medvision.errors import ConfigError, RunError
from medvision.nodes import Launch, find_launch, fixed_run, is_first, match_launch
from medvision.runs import RunFolder
from medvision.training import build_trainer
from tests.machines import BATCH, ROOT, STEP, TORCHRUN

OWN = ("SLURM", "TORCHELASTIC", "MEDVISION_RUN", "MEDVISION_SWEEP", "WANDB_SWEEP", *TORCHRUN)


@pytest.fixture(autouse=True)
def no_launcher(monkeypatch):
    for name in list(os.environ):
        if name.startswith(OWN):
            monkeypatch.delenv(name)
    monkeypatch.setattr(rank_zero_only, "rank", rank_zero_only.rank)


@pytest.fixture
def surroundings(monkeypatch):
    def set_all(*variables: dict[str, str]) -> None:
        for some in variables:
            for name, value in some.items():
                monkeypatch.setenv(name, value)

    return set_all


def experiment(**trainer) -> Experiment:
    return Experiment.model_validate({"name": "knees", "data": {}, "model": {}, "trainer": trainer})


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, None),
        (TORCHRUN, Launch("torchrun", rank=3, devices=2, nodes=2)),
        (STEP, Launch("srun", rank=1, devices=2, nodes=2)),
        ({**STEP, **TORCHRUN}, Launch("torchrun", rank=3, devices=2, nodes=2)),
        (BATCH, None),
        ({**STEP, "SLURM_NTASKS": "1"}, None),
        ({**STEP, "SLURM_JOB_NAME": "interactive"}, None),
        ({**STEP, "WANDB_SWEEP_ID": "abc"}, None),
        ({**STEP, "MEDVISION_SWEEP": "runs/sweep"}, None),
    ],
    ids=["alone", "torchrun", "srun", "torchrun in srun", "script", "one task", "shell", "agent", "worker"],
)
def test_who_started_a_process(surroundings, variables, expected):
    surroundings(variables)
    assert find_launch() == expected


def test_devices_are_those_that_were_started(surroundings):
    assert match_launch(experiment()).trainer == {}
    surroundings(TORCHRUN)
    assert match_launch(experiment(max_epochs=3)).trainer == {"devices": 2, "num_nodes": 2, "max_epochs": 3}
    for devices in (2, "2", [0, 1]):
        assert match_launch(experiment(devices=devices)).trainer == {"devices": devices, "num_nodes": 2}
    for devices in ("auto", -1):
        assert match_launch(experiment(devices=devices)).trainer == {"devices": 2, "num_nodes": 2}


@pytest.mark.parametrize(
    ("variables", "trainer", "words"),
    [
        (TORCHRUN, {"devices": 1}, "trainer.devices: 1 on 2 nodes, but torchrun has started 2 processes on each of 2"),
        (STEP, {"num_nodes": 1}, "trainer.devices: 2 on 1 nodes, but srun has started 2 processes on each of 2"),
        ({}, {"num_nodes": 2}, "trainer.num_nodes: 2, but this process was started alone"),
        (BATCH, {"num_nodes": 2}, "start one on each machine with torchrun or srun"),
    ],
)
def test_devices_that_nobody_has_started_are_refused(surroundings, variables, trainer, words):
    surroundings(variables)
    with pytest.raises(ConfigError, match=words) as refusal:
        match_launch(experiment(**trainer))
    assert len(refusal.value.lines) == 1


@pytest.mark.parametrize(
    ("variables", "trainer", "first"),
    [
        ({}, {"devices": 2}, True),
        ({"LOCAL_RANK": "1"}, {"devices": 2}, False),
        (TORCHRUN, {"devices": 2, "num_nodes": 2}, False),
        ({**TORCHRUN, "RANK": "0", "LOCAL_RANK": "0"}, {"devices": 2, "num_nodes": 2}, True),
        # The first of the second machine is not the first of all.
        ({**TORCHRUN, "RANK": "2", "LOCAL_RANK": "0"}, {"devices": 2, "num_nodes": 2}, False),
        (STEP, {"devices": 2, "num_nodes": 2}, False),
        # A fold of a cross-validation is a run alone, whatever runs beside it.
        (STEP, {}, True),
        (STEP, {"devices": 1, "num_nodes": 1}, True),
    ],
)
def test_one_process_writes(surroundings, variables, trainer, first):
    surroundings(variables)
    assert is_first(experiment(**trainer)) == first


def test_processes_find_each_other_as_they_were_started(surroundings):
    several = {"devices": 2, "num_nodes": 2}
    assert isinstance(nodes.cluster_environment({"devices": 2}), LightningEnvironment)
    surroundings(STEP)
    slurm = nodes.cluster_environment(several)
    assert isinstance(slurm, SLURMEnvironment)
    assert not slurm.auto_requeue
    assert isinstance(nodes.cluster_environment({}), LightningEnvironment)
    surroundings(TORCHRUN)
    assert isinstance(nodes.cluster_environment(several), TorchElasticEnvironment)


def test_a_run_alone_among_tasks_logs_like_any_other(surroundings):
    surroundings(STEP)
    rank_zero_only.rank = 1
    trainer = build_trainer(experiment(accelerator="cpu"), [], [], 1)
    assert (trainer.world_size, trainer.global_rank, rank_zero_only.rank) == (1, 0, 0)


@pytest.mark.parametrize(("strategy", "words"), [("fsdp", "fsdp. requires a GPU"), ("dpp", "invalid strategy name")])
def test_what_lightning_refuses_is_one_line(strategy, words):
    with pytest.raises(ConfigError, match=f"^trainer: .*{words}") as refusal:
        build_trainer(experiment(accelerator="cpu", strategy=strategy), [], [], 1)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("train", "val", "batch_size", "world", "refused"),
    [
        (100, 1, 1, 1, None),
        (16, 4, 8, 4, None),
        (17, 4, 8, 4, None),  # batches of 6, 6, 5
        (9, 4, 4, 4, "smallest of 3 batches has 3 for 4 devices"),
        (100, 4, 1, 2, "smallest of 100 batches has 1 for 2 devices"),
        (27, 4, 2, 2, "smallest of 14 batches has 1 for 2 devices"),
        (16, 3, 8, 4, "split.val: 3 images for 4 devices"),
    ],
)
def test_every_device_has_a_share(train, val, batch_size, world, refused):
    images = {"train": train, "val": val}
    if refused is None:
        nodes.check_shares(images, batch_size, world)
    else:
        with pytest.raises(ConfigError, match=refused):
            nodes.check_shares(images, batch_size, world)


def test_a_job_has_the_same_folder_whenever_it_starts(surroundings, tmp_path):
    assert fixed_run(experiment(), tmp_path, None) is None
    surroundings(BATCH)
    first = fixed_run(experiment(), tmp_path, None)
    surroundings({"SLURM_RESTART_COUNT": "1"})
    assert fixed_run(experiment(), tmp_path, None) == first
    assert first.path.parent == tmp_path / "knees"
    assert first.path.name.startswith("slurm-4711-")
    # A script that runs several experiments, such as one for each seed.
    assert fixed_run(experiment().model_copy(update={"seed": 7}), tmp_path, None) != first
    surroundings({"SLURM_ARRAY_JOB_ID": "4700", "SLURM_ARRAY_TASK_ID": "3"})
    assert fixed_run(experiment(), tmp_path, None).path.name.startswith("slurm-4700_3-")
    # What is given wins: the option over the variable, both over the job.
    surroundings({"MEDVISION_RUN": str(tmp_path / "variable")})
    assert fixed_run(experiment(), tmp_path, None).path == tmp_path / "variable"
    assert fixed_run(experiment(), tmp_path, str(tmp_path / "option")).path == tmp_path / "option"


@pytest.mark.parametrize("variables", [{"SLURM_JOB_NAME": "bash"}, {"WANDB_SWEEP_ID": "abc"}])
def test_runs_of_a_shell_and_of_an_agent_get_new_folders(surroundings, tmp_path, variables):
    surroundings(BATCH, variables)
    assert fixed_run(experiment(), tmp_path, None) is None


def test_the_first_process_makes_the_folder(surroundings, tmp_path):
    surroundings(STEP)
    several = experiment(devices=2, num_nodes=2)
    fixed = fixed_run(several, tmp_path, None)
    assert nodes.begin_run(several, tmp_path, fixed) == fixed
    assert not fixed.path.exists()
    surroundings({"SLURM_PROCID": "0"})
    nodes.begin_run(several, tmp_path, fixed)
    assert (tmp_path / "knees" / "latest").resolve() == fixed.path


def test_processes_that_restart_need_a_folder_that_stays(surroundings, tmp_path):
    surroundings(TORCHRUN, {"TORCHELASTIC_MAX_RESTARTS": "3"})
    with pytest.raises(ConfigError, match="add --run-folder DIR"):
        nodes.begin_run(match_launch(experiment()), tmp_path, None)


def test_nobody_else_has_the_run(tmp_path, monkeypatch, surroundings):
    monkeypatch.setattr(nodes, "PATIENCE_SECONDS", 0.0)
    run, alone = RunFolder(tmp_path), experiment()
    with nodes.claimed(run, alone):
        with pytest.raises(RunError, match="another process has it"), nodes.claimed(run, alone):
            pass
        surroundings(TORCHRUN)
        with nodes.claimed(run, match_launch(alone)):
            pass
    surroundings({"RANK": "0"})
    with nodes.claimed(run, match_launch(alone)):
        pass


def script(folder: Path, name: str, code: int) -> tuple[str, Path, dict[str, str]]:
    """A file for sbatch with a srun and a scontrol that only note what they are asked."""
    notes = folder / "notes"
    for program, end in (("srun", code), ("scontrol", 0)):
        (folder / program).write_text(f'#!/bin/bash\necho {program} "$@" >> {notes}\nexit {end}\n')
        (folder / program).chmod(0o755)
    job = {"SLURM_JOB_ID": "4711", "SLURM_ARRAY_JOB_ID": "4700", "SLURM_ARRAY_TASK_ID": "3", "USER": "somebody"}
    return str(ROOT / "examples" / "slurm" / name), notes, {**os.environ, **job, "PATH": f"{folder}:/usr/bin:/bin"}


@pytest.mark.parametrize(
    ("name", "argument", "asked"),
    [
        ("fit_ddp", "x.yaml", "--kill-on-bad-exit=1 python -m medvision.fit x.yaml"),
        ("folds", "a/x.yaml", "python -m medvision.cross_validate a/x.yaml --parent runs/x/slurm-4700 --folds 3"),
        ("wandb_agents", "e/p/s", "wandb agent e/p/s"),
        ("sweep_workers", "runs/s", "python -m medvision.sweep --resume runs/s --workers 1"),
    ],
)
@pytest.mark.parametrize("code", [0, 2, 143])
def test_a_batch_script_starts_what_it_says_and_requeues_what_was_preempted(tmp_path, name, argument, asked, code):
    path, notes, surroundings = script(tmp_path, f"{name}.sbatch", code)
    done = subprocess.run(["bash", path, argument], env=surroundings, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (code, "")
    job = {"fit_ddp": ["scontrol requeue 4711"], "folds": ["scontrol requeue 4700_3"]}
    again = job.get(name, []) if code == 143 else []
    assert notes.read_text().splitlines() == [f"srun {asked}", *again]
