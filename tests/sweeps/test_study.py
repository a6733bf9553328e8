import time

import pytest

from medvision.sweeps import study
from medvision.sweeps.lease import LEASE
from medvision.sweeps.points import key_of
from tests.sweeps.sweep_files import begin, join

RANDOM = {"method": "random", "parameters": {"lr": {"min": 0.0, "max": 1.0}}}


class Elsewhere:
    """Lets a store speak for a process of another host."""

    def __init__(self, store: study.TrialStore, host: str) -> None:
        self.store = store
        store._host = host


def states(store: study.TrialStore) -> list[str]:
    return [row.state for row in store.rows()]


def test_every_point_of_a_grid_is_claimed_once(tmp_path):
    run, _, one = begin(tmp_path)
    _, two = join(run)
    assert [one.claim(), two.claim(), one.claim(), two.claim(), one.claim()] == [0, 1, 2, None, None]
    assert [row.point[("lr",)] for row in one.rows()] == [0.1, 0.3, 0.6]
    assert states(two) == ["running"] * 3


@pytest.mark.parametrize("method", ["random", "bayes"])
def test_no_more_trials_than_the_cap_and_none_twice(tmp_path, method):
    values = {"lr": {"values": [0.1, 0.2, 0.3]}, "other": {"values": [1, 2]}}
    _, _, store = begin(tmp_path, method=method, parameters=values, run_cap=5)
    numbers = []
    while (number := store.claim()) is not None:
        numbers.append(number)
        store.finish(number, 0.5, stopped=False)
    assert len(numbers) == 5
    assert len({key_of(row.point) for row in store.rows()}) == 5


@pytest.mark.parametrize("method", ["random", "bayes"])
def test_a_search_space_without_another_point_ends_the_sweep(tmp_path, method):
    _, _, store = begin(tmp_path, method=method, parameters={"lr": {"values": [0.1, 0.2]}}, run_cap=5)
    assert store.claim() is not None
    assert store.claim() is not None
    assert store.claim() is None
    assert len(store.rows()) == 2


def test_the_random_points_do_not_depend_on_who_draws_them(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    run, _, one = begin(tmp_path / "a", run_cap=4, **RANDOM)
    _, two = join(run)
    for store in (one, two, two, one):
        store.claim()
    _, _, alone = begin(tmp_path / "b", run_cap=4, **RANDOM)
    while alone.claim() is not None:
        pass
    assert [row.point for row in one.rows()] == [row.point for row in alone.rows()]


def test_a_target_ends_a_sweep(tmp_path):
    metric = {"name": "val/score", "goal": "minimize", "target": 0.2}
    _, _, store = begin(tmp_path, metric=metric)
    for value in (0.3, 0.2):
        store.finish(store.claim(), value, stopped=False)
    assert store.claim() is None


def test_what_is_known_of_a_trial(tmp_path):
    run, _, store = begin(tmp_path)
    for _ in range(3):
        store.claim()
    store.report(0, [0.1, float("nan")])
    store.report(0, [0.1, float("nan"), 0.4])
    store.finish(0, 0.4, stopped=False)
    store.finish(1, 0.2, stopped=True)
    store.fail(2, "no such layer")
    rows = join(run)[1].rows()
    assert [row.state for row in rows] == ["finished", "stopped", "failed"]
    assert [row.value for row in rows] == [0.4, 0.2, None]
    assert (rows[0].values[0], rows[0].values[2], len(rows[0].values)) == (0.1, 0.4, 3)
    assert rows[2].error == "no such layer"
    assert all(row.over for row in rows)


def test_a_trial_of_a_process_that_died_here_is_taken_up_at_once(tmp_path, monkeypatch):
    run, _, store = begin(tmp_path)
    store.claim()
    monkeypatch.setattr(study, "is_alive", lambda pid: False)
    monkeypatch.setattr(study.os, "getpid", lambda: 1)
    _, other = join(run)
    assert states(other) == ["waiting"]
    assert other.claim() == 0
    assert states(other) == ["running"]
    # Its former process has lost it.
    monkeypatch.undo()
    assert not store.renew(0)
    monkeypatch.setattr(study.os, "getpid", lambda: 1)
    assert other.renew(0)


def test_a_trial_of_another_host_is_taken_up_when_nobody_renews_it(tmp_path, monkeypatch):
    run, _, store = begin(tmp_path)
    elsewhere = Elsewhere(join(run)[1], "other host").store
    elsewhere.claim()
    now = time.monotonic()
    monkeypatch.setattr(study.time, "monotonic", lambda: now)
    assert store.claim() == 1
    monkeypatch.setattr(study.time, "monotonic", lambda: now + LEASE - 1)
    assert states(store)[0] == "running"
    elsewhere.renew(0)
    monkeypatch.setattr(study.time, "monotonic", lambda: now + LEASE + 1)
    assert states(store)[0] == "running"
    # Not renewed since; whatever the clock of the other host says.
    monkeypatch.setattr(study.time, "monotonic", lambda: now + 2 * LEASE + 3)
    assert states(store)[0] == "waiting"
    assert store.claim() == 0
    assert not elsewhere.renew(0)


def test_a_trial_that_kills_its_process_again_and_again_has_failed(tmp_path):
    _, _, store = begin(tmp_path, parameters={"lr": {"values": [0.1]}})
    for _ in range(study.MOST_ATTEMPTS):
        assert store.claim() == 0
        store.release(0, crashed=True)
    assert store.claim() is None
    (row,) = store.rows()
    assert (row.state, row.error) == ("failed", "its process was killed 3 times")


def test_a_trial_that_gets_on_may_be_interrupted_as_often_as_it_likes(tmp_path):
    _, _, store = begin(tmp_path, parameters={"lr": {"values": [0.1]}})
    for epoch in range(1, 6):
        assert store.claim() == 0
        store.report(0, [0.1] * epoch)
        store.release(0, crashed=True)
    for _ in range(5):
        assert store.claim() == 0
        store.release(0)
    assert states(store) == ["waiting"]


def test_seconds_add_up_over_the_attempts(tmp_path, monkeypatch):
    _, _, store = begin(tmp_path)
    clock = [1000.0]
    monkeypatch.setattr(study.time, "time", lambda: clock[0])
    store.claim()
    clock[0] += 30
    store.release(0)
    clock[0] += 500
    assert store.claim() == 0
    clock[0] += 12
    assert store.rows()[0].seconds == 42
    store.finish(0, 1.0, stopped=False)
    clock[0] += 99
    assert store.rows()[0].seconds == 42
