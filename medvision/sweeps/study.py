"""The trials of a sweep in an Optuna study: who has which, how far it is, and what is tried next.

A trial is held by a lease, which its process renews. One whose process has died, however it died, is taken up by
whoever looks next, in the same run folder, so that its training goes on.
"""

import contextlib
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import optuna
from filelock import FileLock
from optuna.samplers import RandomSampler
from optuna.storages import BaseStorage
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from medvision.runs import RunFolder
from medvision.sweeps.file import Sweep
from medvision.sweeps.lease import LEASE, is_alive, this_host
from medvision.sweeps.points import Point, count_points, grid, key_of, random_point
from medvision.sweeps.proposals import PerTrialSampler, ask_gaussian_process

# A trial that ends its process so often, without finishing an epoch in between, has failed.
MOST_ATTEMPTS = 3
MOST_ASKS = 50


@dataclass(frozen=True)
class TrialRow:
    """What is known of a trial.

    Args:
        number: of the trial.
        state: `finished`, `stopped` (early), `failed`, `running` or `waiting` (to be taken up again).
        point: {name: value}.
        values: of the metric, one an epoch.
        value: the best of them, of a trial that is over; None where it has none.
        seconds: that it took, or has taken so far.
        error: why it failed.
    """

    number: int
    state: str
    point: Point
    values: Sequence[float]
    value: float | None
    seconds: float
    error: str = ""

    @property
    def over(self) -> bool:
        """Whether nothing is left to do."""
        return self.state in ("finished", "stopped", "failed")


class TrialStore:
    """All trials of a sweep, for every process that works on it.

    Args:
        folder: of the sweep, which all processes share.
        sweep: what is searched.
        study: of Optuna.
        storage: where it is.
    """

    def __init__(self, folder: RunFolder, sweep: Sweep, study: Study, storage: BaseStorage) -> None:
        self._sweep, self._study, self._storage = sweep, study, storage
        self._study_id = storage.get_study_id_from_name(study.study_name)
        self._lock = FileLock(folder.path / ".sweep.lock")
        self._host = this_host()
        self._seen: dict[int, tuple[float, float]] = {}
        self.name: str = study.user_attrs["name"]
        self.seed: int = study.user_attrs["seed"]

    def claim(self) -> int | None:
        """Take a trial whose process has died, or begin a new one.

        Returns:
            Its number; None where there is nothing to do at present.
        """
        with self._lock:
            trials = self._trials()
            for trial in trials:
                if trial.state == TrialState.RUNNING and self._is_orphan(trial) and self._take(trial):
                    return trial.number
            number = self._begin(trials)
            if number is not None:
                self._take(self._trial(number))
            return number

    def rows(self) -> list[TrialRow]:
        """All trials, in their order."""
        return [self._row(trial) for trial in self._trials()]

    def point(self, number: int) -> Point:
        """What a trial tries."""
        return _point(self._trial(number))

    def renew(self, number: int) -> bool:
        """Renew the lease of a trial; False where it was lost: another process has the trial now."""
        lease = self._trial(number).user_attrs.get("lease")
        if lease is None or not self._is_mine(lease):
            return False
        with contextlib.suppress(optuna.exceptions.UpdateFinishedTrialError):
            self._set(number, lease={**lease, "time": time.time()})
            return True
        return False

    def release(self, number: int, *, crashed: bool = False) -> None:
        """Give a trial back unfinished, to be taken up again by whoever comes.

        Args:
            number: of the trial.
            crashed: its process died; otherwise this attempt does not count.
        """
        trial = self._trial(number)
        spent = self._seconds(trial)
        attempts = trial.user_attrs["attempts"] - (not crashed)
        self._set(number, lease=None, seconds=spent, attempts=attempts)

    def report(self, number: int, values: Sequence[float]) -> None:
        """Enter the values of epochs that are new.

        Args:
            number: of the trial.
            values: of all epochs so far.
        """
        known = self._trial(number).intermediate_values
        trial_id = self._id(number)
        for epoch, value in enumerate(values, start=1):
            if epoch not in known:
                self._storage.set_trial_intermediate_value(trial_id, epoch, value)

    def finish(self, number: int, value: float, *, stopped: bool) -> None:
        """Enter the result of a trial."""
        self._set(number, stopped=stopped, seconds=self._seconds(self._trial(number)))
        self._study.tell(number, value)

    def fail(self, number: int, error: str) -> None:
        """Enter why a trial has no result."""
        self._set(number, error=error, seconds=self._seconds(self._trial(number)))
        self._study.tell(number, state=TrialState.FAIL)

    def _begin(self, trials: Sequence[FrozenTrial]) -> int | None:
        cap, metric = self._sweep.file.run_cap, self._sweep.file.metric
        values = [trial.value for trial in trials if trial.value is not None]
        reached = metric.target is not None and any(not metric.better(metric.target, value) for value in values)
        if reached or (cap is not None and len(trials) >= cap):
            return None
        tried = [_point(trial) for trial in trials]
        return self._ask(tried) if self._sweep.file.method == "bayes" else self._draw(tried)

    def _draw(self, tried: Sequence[Point]) -> int | None:
        """The next point of a grid, or a random one."""
        if self._sweep.file.method == "grid":
            taken = {key_of(point) for point in tried}
            point = next((point for point in grid(self._sweep.specs) if key_of(point) not in taken), None)
        else:
            point = random_point(self._sweep.specs, self.seed, len(tried), tried)
        if point is None:
            return None
        self._study.sampler = RandomSampler(seed=self.seed)
        number = self._study.ask().number
        self._set(number, point=_plain(point))
        return number

    def _ask(self, tried: Sequence[Point]) -> int | None:
        """A point that the Gaussian process asks for; a random one where it asks for one that was tried."""
        taken = {key_of(point) for point in tried}
        if len(taken) >= count_points(self._sweep.specs):
            return None
        self._study.sampler = PerTrialSampler(self.seed)
        for _ in range(MOST_ASKS):
            trial = self._study.ask()
            point = ask_gaussian_process(trial, self._sweep.specs)
            if key_of(point) not in taken:
                self._set(trial.number, point=_plain(point))
                return trial.number
            # A trial without a point is none.
            self._study.tell(trial, state=TrialState.FAIL)
            self._study.sampler = RandomSampler(seed=self.seed + trial.number)
        return None

    def _take(self, trial: FrozenTrial) -> bool:
        """Write the lease; False where the trial has ended its process too often."""
        known = trial.user_attrs
        epochs = len(trial.intermediate_values)
        attempts = 1 if epochs > known.get("epochs", 0) else known.get("attempts", 0) + 1
        if attempts > MOST_ATTEMPTS:
            self.fail(trial.number, f"its process was killed {MOST_ATTEMPTS} times")
            return False
        now = time.time()
        lease = {"host": self._host, "pid": os.getpid(), "begin": now, "time": now}
        self._set(trial.number, attempts=attempts, epochs=epochs, seconds=self._seconds(trial), lease=lease)
        return True

    def _is_mine(self, lease: Mapping[str, Any]) -> bool:
        return bool(lease["host"] == self._host and lease["pid"] == os.getpid())

    def _is_orphan(self, trial: FrozenTrial) -> bool:
        """Whether nobody runs a trial any more."""
        lease = trial.user_attrs.get("lease")
        if lease is None:
            return True
        if self._is_mine(lease):
            return False
        if lease["host"] == self._host and not is_alive(lease["pid"]):
            return True
        renewed, since = self._seen.get(trial.number, (None, 0.0))
        if renewed != lease["time"]:
            self._seen[trial.number] = (lease["time"], time.monotonic())
            return False
        return time.monotonic() - since > LEASE

    def _row(self, trial: FrozenTrial) -> TrialRow:
        known = trial.user_attrs
        done = {TrialState.COMPLETE: "stopped" if known.get("stopped") else "finished", TrialState.FAIL: "failed"}
        open_state = "waiting" if self._is_orphan(trial) else "running"
        values = [value for _, value in sorted(trial.intermediate_values.items())]
        error = known.get("error", "")
        state = done.get(trial.state, open_state)
        return TrialRow(trial.number, state, _point(trial), values, trial.value, self._seconds(trial), error)

    def _seconds(self, trial: FrozenTrial) -> float:
        """What earlier attempts have taken, and the present one; of a process that died until it was last heard of."""
        spent, lease = float(trial.user_attrs.get("seconds", 0.0)), trial.user_attrs.get("lease")
        if lease is None or trial.state.is_finished():
            return spent
        until = time.time() if self._is_mine(lease) else lease["time"]
        return round(spent + until - lease["begin"], 1)

    def _trials(self) -> list[FrozenTrial]:
        """Those with a point: a process may have died before it had found one."""
        return [trial for trial in self._study.get_trials(deepcopy=False) if "point" in trial.user_attrs]

    def _trial(self, number: int) -> FrozenTrial:
        return self._storage.get_trial(self._id(number))

    def _id(self, number: int) -> int:
        return self._storage.get_trial_id_from_study_id_trial_number(self._study_id, number)

    def _set(self, number: int, **attributes: Any) -> None:
        for key, value in attributes.items():
            self._storage.set_trial_user_attr(self._id(number), key, value)


def _plain(point: Point) -> list[list[Any]]:
    return [[list(name), value] for name, value in point.items()]


def _point(trial: FrozenTrial) -> Point:
    return {tuple(name): value for name, value in trial.user_attrs["point"]}
