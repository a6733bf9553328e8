"""When a trial that falls behind is stopped: Hyperband with the arithmetic of W&B's engine.

Li et al., Hyperband: A Novel Bandit-Based Approach to Hyperparameter Optimization, JMLR 18 (2018), in the form of
https://docs.wandb.ai/models/sweeps/sweep-config-keys#early_terminate and of W&B's engine (`sweeps` 0.3.0).
"""

import itertools
import operator
from collections.abc import Sequence

from medvision.sweeps.file import EarlyTerminate

LONGEST = 10**9


def brackets(rule: EarlyTerminate) -> list[int]:
    """The epochs at which trials are compared, counted from 1, in ascending order.

    >>> brackets(EarlyTerminate(type="hyperband", min_iter=3))[:4]
    [3, 9, 27, 81]
    >>> brackets(EarlyTerminate(type="hyperband", max_iter=27, s=2))
    [3, 9]

    Args:
        rule: of the sweep; of both forms W&B takes `max_iter`.
    """
    if rule.max_iter is not None and rule.s is not None:
        downwards = itertools.accumulate(itertools.repeat(rule.eta, rule.s), operator.truediv, initial=rule.max_iter)
        return sorted(int(epoch) for epoch in itertools.islice(downwards, 1, None) if epoch >= 1)
    assert rule.min_iter is not None
    upwards = itertools.accumulate(itertools.repeat(rule.eta), operator.mul, initial=rule.min_iter)
    return [int(epoch) for epoch in itertools.takewhile(lambda epoch: epoch <= LONGEST, upwards)]


def falls_behind(rule: EarlyTerminate, mine: Sequence[float], others: Sequence[Sequence[float]], *, goal: str) -> bool:
    """Whether a trial is not among the best 1/eta at the last comparison that it has reached.

    Args:
        rule: of the sweep.
        mine: the finite values of the trial so far, one an epoch.
        others: those of all trials, also of this one, of finished ones and of stopped ones.
        goal: `maximize` or `minimize`.
    """
    reached = [epoch for epoch in brackets(rule) if epoch <= len(mine)]
    if not reached:
        return False
    epoch, sign = reached[-1], -1 if goal == "maximize" else 1
    there = sorted(sign * values[epoch - 1] for values in others if len(values) >= epoch)
    threshold = there[int(1.0 / rule.eta * len(there))]
    value = sign * mine[epoch - 1] if rule.strict else min(sign * value for value in mine)
    return value > threshold
