import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from medvision.errors import RunError
from medvision.runs import RunFolder
from medvision.sweeps import worker
from medvision.sweeps.file import read_sweep
from medvision.sweeps.lease import is_alive
from medvision.sweeps.storage import create_study, telling_of_loss
from medvision.sweeps.study import TrialStore
from medvision.sweeps.trial import run_of
from medvision.sweeps.worker import InterruptedSweepError, TerminatedSweepError, Worker
from tests.sweeps.sweep_files import begin, join, write_sweep

ROOT = Path(__file__).parents[2]
DRIVE = Path(__file__).with_name("drive.py")


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(worker, "PAUSE", 0.02)


def computed(run: RunFolder, number: int) -> list[int]:
    """The epochs that the processes of a trial have computed, in their order."""
    lines = (run_of(run, number).path / "computed.txt").read_text().splitlines()
    return [int(line.split()[0]) for line in lines]


def test_all_trials_are_run_several_at_a_time(tmp_path, capsys):
    run, sweep, store = begin(tmp_path)
    Worker(run, sweep, store, 2).run()
    rows = store.rows()
    assert [row.state for row in rows] == ["finished"] * 3
    # The played curve ends at 15/16 of 1 - (lr - 0.3)².
    assert [row.value for row in rows] == pytest.approx([(1 - d**2) * 15 / 16 for d in (0.2, 0, 0.3)])
    assert [list(row.values) for row in rows][1] == pytest.approx([0.5, 0.75, 0.875, 0.9375])
    assert all(computed(run, number) == [0, 1, 2, 3] for number in range(3))
    told = capsys.readouterr().out
    assert "trial 0 running: lr 0.1\n" in told
    assert "3 of 3 trials done; best val/score 0.9375 (trial 1)" in told


def test_trials_that_fall_behind_are_stopped_and_end_well(tmp_path, monkeypatch):
    monkeypatch.setenv("FAKE_EPOCHS", "6")
    # Of two values the threshold is number int(2/3), of three number int(3/3): each time a better one than the last.
    rule = {"type": "hyperband", "min_iter": 2, "eta": 3}
    values = {"lr": {"values": [0.3, 0.9, 1.2]}}
    monkeypatch.setenv("FAKE_PAUSE", "0.15")
    run, sweep, store = begin(tmp_path, parameters=values, early_terminate=rule)
    Worker(run, sweep, store, 1).run()
    rows = store.rows()
    assert [row.state for row in rows] == ["finished", "stopped", "stopped"]
    assert len(rows[0].values) == 6
    assert all(2 <= len(row.values) < 6 for row in rows[1:])
    assert rows[2].value == pytest.approx(max(rows[2].values))


def test_failures_are_told_and_the_others_go_on(tmp_path):
    values = {"lr": {"values": [0.3]}, "mistake": {"values": [True, False]}}
    run, sweep, store = begin(tmp_path, parameters=values)
    Worker(run, sweep, store, 1).run()
    assert [(row.state, row.error) for row in store.rows()] == [("failed", "no such layer"), ("finished", "")]


def test_a_sweep_whose_trials_all_fail_ends_with_the_reason(tmp_path):
    values = {"lr": {"values": [1, 2, 3, 4, 5]}, "mistake": {"value": True}}
    run, sweep, store = begin(tmp_path, parameters=values)
    with pytest.raises(
        RunError, match=r"3 trials have failed and none has ended well; the last said: no such layer; see .*2\.log"
    ):
        Worker(run, sweep, store, 1).run()
    assert len(store.rows()) == 3


def test_a_database_that_is_lost_is_told_and_no_trial_is_left_running(tmp_path, monkeypatch):
    hold, database = tmp_path / "hold", tmp_path / "trials.db"
    hold.touch()
    monkeypatch.setenv("FAKE_HOLD", str(hold))
    monkeypatch.setenv("FAKE_EPOCHS", "6")
    run, sweep = RunFolder(tmp_path / "sweep-tries" / "1"), read_sweep(write_sweep(tmp_path))
    run.path.mkdir(parents=True)
    store = TrialStore(run, sweep, *create_study(run, sweep, 7, f"sqlite:///{database}"))
    started = []

    class Lost(Worker):
        def _renew(self):
            begun = [run_of(run, number).path / "computed.txt" for number in (0, 1)]
            if all(file.is_file() and len(file.read_text().splitlines()) == 4 for file in begun):
                started.extend(int(file.read_text().split()[1]) for file in begun)
                database.write_bytes(b"no database" * 1000)
            super()._renew()

    words = r"no longer answers: .*not a database; .*--resume .* --storage URL"
    with pytest.raises(RunError, match=words), telling_of_loss(run):
        Lost(run, sweep, store, 2).run()
    assert len(started) == 2
    assert not any(is_alive(process) for process in started)


def test_a_metric_that_nobody_logs_ends_the_sweep(tmp_path):
    run, sweep, store = begin(tmp_path, metric={"name": "val/skore"})
    with pytest.raises(RunError, match="the training logs no 'val/skore'; known: val/score"):
        Worker(run, sweep, store, 2).run()
    assert {row.state for row in store.rows()} == {"waiting"}


def test_a_trial_that_was_killed_is_taken_up_where_it_was(tmp_path):
    values = {"lr": {"values": [0.3]}, "suicide": {"value": True}}
    run, sweep, store = begin(tmp_path, parameters=values)
    Worker(run, sweep, store, 1).run()
    (row,) = store.rows()
    # It killed itself after its last epoch until there were more than four: never; so it has failed in the end.
    assert row.state == "failed"
    assert row.error == "its process was killed 3 times"
    assert computed(run, 0) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("number", "error", "code"),
    [(signal.SIGINT, InterruptedSweepError, 130), (signal.SIGTERM, TerminatedSweepError, 143)],
)
def test_an_interrupted_sweep_goes_on_without_computing_anything_twice(tmp_path, monkeypatch, number, error, code):
    monkeypatch.setenv("FAKE_PAUSE", "0.1")
    run, sweep, store = begin(tmp_path)
    alone = Worker(run, sweep, store, 2)
    show, shown = alone._display.show, []

    def press(rows):
        show(rows)
        shown.append(None)
        if any(len(row.values) >= 2 for row in rows) and len(shown) > 3:
            os.kill(os.getpid(), number)

    monkeypatch.setattr(alone._display, "show", press)
    with pytest.raises(error, match=f"this goes on: python -m medvision.sweep --resume {run.path}"):
        alone.run()
    assert error.exit_code == code
    assert "waiting" in {row.state for row in store.rows()}
    monkeypatch.setenv("FAKE_PAUSE", "0")
    Worker(run, *join(run), 1).run()
    assert [row.state for row in store.rows()] == ["finished"] * 3
    assert all(computed(run, trial) == [0, 1, 2, 3] for trial in range(3))


def test_each_of_several_gpus_has_its_trials(tmp_path, monkeypatch):
    run, sweep, store = begin(tmp_path)
    monkeypatch.setattr(worker.torch.cuda, "device_count", lambda: 2)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    three = Worker(run, sweep, store, 3)
    assert [three._device(slot)["CUDA_VISIBLE_DEVICES"] for slot in range(3)] == ["0", "1", "0"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,7")
    assert [three._device(slot)["CUDA_VISIBLE_DEVICES"] for slot in range(2)] == ["4", "7"]
    assert Worker(run, sweep, store, 1)._device(0) == {}


def drive(run: RunFolder, workers: int, **environment: str) -> subprocess.Popen:
    words = [sys.executable, str(DRIVE), str(run.path), str(workers)]
    variables = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    return subprocess.Popen(words, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def wait_for(condition) -> None:
    until = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.mark.slow
def test_a_worker_killed_with_nine_is_replaced_and_nothing_is_computed_twice(tmp_path):
    values = {"lr": {"values": [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]}}
    run, _, store = begin(tmp_path, parameters=values)
    hold = tmp_path / "hold"
    hold.touch()
    first, second = (drive(run, 2, FAKE_EPOCHS="8", FAKE_HOLD=str(hold)) for _ in range(2))
    wait_for(lambda: sum(len(row.values) == 4 for row in store.rows()) == 4)
    owners = {row.number: store._trial(row.number).user_attrs["lease"]["pid"] for row in store.rows()}
    orphans = [number for number, pid in owners.items() if pid == first.pid]
    pids = [int((run_of(run, number).path / "computed.txt").read_text().split()[-1]) for number in orphans]
    assert len(pids) == 2
    first.kill()
    first.communicate()
    # Its trainings end with it, and the other process takes them up.
    wait_for(lambda: not any(map(is_alive, pids)))
    hold.unlink()
    told, _ = second.communicate(timeout=120)
    assert second.returncode == 0, told
    assert [row.state for row in store.rows()] == ["finished"] * 6
    assert [row.point[("lr",)] for row in store.rows()] == values["lr"]["values"]
    assert all(computed(run, number) == list(range(8)) for number in range(6))
    for number in range(6):
        lines = (run_of(run, number).path / "computed.txt").read_text().splitlines()
        assert len({line.split()[1] for line in lines}) == (2 if number in orphans else 1)


@pytest.mark.slow
def test_a_training_killed_with_nine_goes_on_in_the_same_sweep(tmp_path):
    run, _, store = begin(tmp_path, parameters={"lr": {"values": [0.3]}})
    process = drive(run, 1, FAKE_EPOCHS="20", FAKE_PAUSE="0.1")
    wait_for(lambda: any(len(row.values) >= 4 for row in store.rows()))
    os.kill(int((run_of(run, 0).path / "computed.txt").read_text().split()[-1]), signal.SIGKILL)
    told, _ = process.communicate(timeout=60)
    assert process.returncode == 0, told
    assert sorted(set(computed(run, 0))) == list(range(20))
    assert store.rows()[0].state == "finished"


@pytest.mark.slow
def test_four_processes_run_every_point_once(tmp_path):
    values = {"lr": {"min": 0.0, "max": 1.0}}
    run, _, store = begin(tmp_path, method="random", run_cap=12, parameters=values)
    for process in [drive(run, 2) for _ in range(4)]:
        told, _ = process.communicate(timeout=120)
        assert process.returncode == 0, told
    rows = store.rows()
    assert [row.state for row in rows] == ["finished"] * 12
    assert all(computed(run, row.number) == [0, 1, 2, 3] for row in rows)
    assert len({row.point[("lr",)] for row in rows}) == 12
