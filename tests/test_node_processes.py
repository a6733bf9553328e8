"""Runs of several processes, on machines that are folders of this one, compared with the run of one process."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from medvision.runs import RunFolder, read_table
from tests.kinds import KINDS, write_experiment
from tests.machines import STEP, Machine, free_port, torchrun

pytestmark = pytest.mark.slow
# Enough for a signal to arrive before the last.
EPOCHS = 20
# Without dropout, whose random numbers differ between devices.
SETTINGS = ["discs.yaml", "--model.dropout=0", "--data.batch_size=2", "--split.train_images=14"]
FIT = ["-m", "medvision.fit", *SETTINGS]


@pytest.fixture(scope="module")
def odd(tmp_path_factory) -> Path:
    """Images that two devices cannot share evenly: one a patient, 5 validated and 4 tested, in batches of 2."""
    folder = write_experiment(
        tmp_path_factory.mktemp("odd"),
        KINDS["classification"],
        patients=24,
        schedule={"name": "none"},
        trainer={"max_epochs": EPOCHS, "accelerator": "cpu"},
    )
    for image in (folder / "images").glob("*/*_1.png"):
        image.unlink()
    return folder


@pytest.fixture
def machines() -> Iterator[list[Machine]]:
    started: list[Machine] = []
    yield started
    for machine in started:
        if machine.process.poll() is None:
            machine.switch_off()


@pytest.fixture(scope="module")
def one(odd) -> RunFolder:
    Machine(odd, "one", [*FIT, "--run-folder=one"]).finish()
    return RunFolder(odd / "one")


def wait_for_epochs(run: RunFolder, count: int, machine: Machine) -> None:
    for _ in range(6000):
        assert machine.process.poll() is None, machine.log.read_text()
        if run.last.is_file() and len(pd.read_csv(run.history)) >= count:
            return
        time.sleep(0.01)
    raise AssertionError(machine.log.read_text())


def assert_same(run: RunFolder, one: RunFolder) -> None:
    """Every image once, and the numbers of one device but for the order in which floats were added."""
    left, right = read_table(one.predictions), read_table(run.predictions)
    assert sorted(left["split"]) == ["test"] * 4 + ["val"] * 5
    pd.testing.assert_frame_equal(left, right, atol=1e-5)
    left, right = (pd.read_csv(folder.history).drop(columns="seconds") for folder in (one, run))
    pd.testing.assert_frame_equal(left, right, atol=1e-5)
    assert run.finished


def test_a_machine_that_dies_is_replaced_and_the_run_goes_on(odd, one, machines):
    run = RunFolder(odd / "two")

    def start() -> list[Machine]:
        port = free_port()
        pair = [Machine(odd, f"node{node}", [*torchrun(port, node), *FIT, "--run-folder=two"]) for node in (0, 1)]
        machines.extend(pair)
        return pair

    left, lost = start()
    wait_for_epochs(run, 2, left)
    lost.switch_off()
    assert left.process.wait(timeout=60) != 0
    behind = pd.read_csv(run.history)
    assert 2 <= len(behind) < EPOCHS
    told, silent = (machine.finish() for machine in start())
    assert_same(run, one)
    # What was trained before was not trained again, but for the epoch that broke off.
    assert list(pd.read_csv(run.history)["seconds"])[: len(behind) - 1] == list(behind["seconds"])[:-1]
    assert told.count(f"epoch {EPOCHS}/{EPOCHS}") == told.count("test split") == 1
    # A task that sees its neighbour die may print a traceback before it is switched off itself.
    assert "\nepoch " not in silent
    assert "run folder" not in silent
    for machine in (left, lost):
        assert len(list(machine.cache.glob("*/index.json"))) == 1


def test_a_process_that_dies_is_started_again_by_torchrun(odd, one, machines):
    run = RunFolder(odd / "restarted")
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "--max-restarts=1"]
    # Torch's processes otherwise find the addresses that those before them have left in the launcher's store.
    fresh = {"TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1"}
    machine = Machine(odd, "restarting", [*launcher, *FIT, "--run-folder=restarted"], **fresh)
    machines.append(machine)
    wait_for_epochs(run, 2, machine)
    os.kill(machine.children()[-1], signal.SIGKILL)
    machine.finish()
    assert_same(run, one)


def test_without_a_folder_torchrun_agrees_on_a_new_one(odd, one, machines):
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    machine = Machine(odd, "new", [*launcher, *FIT, "--output=new"])
    machines.append(machine)
    machine.finish()
    (folder,) = (odd / "new" / "discs").glob("2*")
    assert_same(RunFolder(folder), one)


def test_forked_processes_train_what_one_trains(odd, one, machines):
    machine = Machine(odd, "fork", [*FIT, "--run-folder=fork", "--trainer.devices=2", "--trainer.strategy=ddp_fork"])
    machines.append(machine)
    assert machine.finish().count("test split") == 1
    assert_same(RunFolder(odd / "fork"), one)


def test_a_job_that_is_requeued_goes_on(odd, one, machines):
    def start(restarts: int) -> list[Machine]:
        job = {**STEP, "SLURM_NTASKS": "2", "SLURM_NNODES": "1", "SLURM_JOB_NODELIST": "localhost"}
        job |= {"SLURM_RESTART_COUNT": str(restarts), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
        tasks = [{**job, "SLURM_PROCID": str(task), "SLURM_LOCALID": str(task)} for task in (0, 1)]
        pair = [Machine(odd, f"task{number}", [*FIT, "--output=jobs"], **task) for number, task in enumerate(tasks)]
        machines.extend(pair)
        return pair

    pair = start(0)
    while not (found := list(odd.glob("jobs/discs/slurm-4711-*"))):
        assert pair[0].process.poll() is None, pair[0].log.read_text()
        time.sleep(0.01)
    run = RunFolder(found[0])
    wait_for_epochs(run, 2, pair[0])
    for task in pair:
        task.switch_off()
    assert not run.finished
    told, silent = (task.finish() for task in start(1))
    assert told.count("test split") == 1
    # A task that sees its neighbour die may print a traceback before it is switched off itself.
    assert "\nepoch " not in silent
    assert list(odd.glob("jobs/discs/slurm-*")) == [run.path]
    assert_same(run, one)
    assert not list(odd.rglob("hpc_ckpt*"))


def test_asked_to_end_all_processes_end_at_once_and_say_how_to_go_on(odd, machines):
    fit = [*FIT, "--run-folder=ended", "--trainer.devices=2", "--trainer.max_epochs=1000"]
    machine = Machine(odd, "ended", fit)
    machines.append(machine)
    wait_for_epochs(RunFolder(odd / "ended"), 2, machine)
    (child,) = machine.children()
    machine.process.send_signal(signal.SIGTERM)
    assert machine.process.wait(timeout=20) == 143
    assert machine.log.read_text().count("medvision: terminated; the last finished epoch is kept, the same") == 1
    assert str(odd / "ended") in machine.log.read_text().splitlines()[-1]
    assert not Path(f"/proc/{child}").exists() or "Z" in Path(f"/proc/{child}/stat").read_text()


def test_a_sweep_ends_a_run_of_several_processes_with_its_epoch(odd, machines):
    fit = [*FIT, "--run-folder=stopped", "--trainer.devices=2", "--trainer.max_epochs=1000"]
    machine = Machine(odd, "stopped", fit, MEDVISION_SWEEP=str(odd / "sweep"))
    machines.append(machine)
    run = RunFolder(odd / "stopped")
    wait_for_epochs(run, 2, machine)
    machine.process.send_signal(signal.SIGTERM)
    machine.finish()
    assert 2 <= len(pd.read_csv(run.history)) < 1000
    assert list(read_table(run.predictions)["split"]) == ["val"] * 5


# Torch refuses to shard a network on CPUs, and so does Lightning; both do it when told that the CPU is the device.
SHARDED = """
import sys
import torch
from lightning.pytorch.trainer.connectors.accelerator_connector import _AcceleratorConnector
from torch.distributed.fsdp import FullyShardedDataParallel
from medvision.fit import main

init = FullyShardedDataParallel.__init__
FullyShardedDataParallel.__init__ = lambda *a, **k: init(*a, **{**k, "device_id": torch.device("cpu")})
_AcceleratorConnector._check_strategy_and_fallback = lambda connector: None
main(sys.argv[1:])
"""


def test_a_sharded_network_trains_as_a_whole_one_does(odd, one, machines):
    (odd / "sharded.py").write_text(SHARDED)
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "sharded.py"]
    machine = Machine(odd, "sharded", [*launcher, *SETTINGS, "--run-folder=sharded", "--trainer.strategy=fsdp"])
    machines.append(machine)
    machine.finish()
    # With the weight decay of the whole, which depends on shapes that a shard does not have.
    assert_same(RunFolder(odd / "sharded"), one)
