import pytest

from medvision.sweeps.file import EarlyTerminate
from medvision.sweeps.hyperband import brackets, falls_behind


def rule(**settings: object) -> EarlyTerminate:
    return EarlyTerminate(type="hyperband", **settings)


def test_brackets_of_the_documentation():
    # https://docs.wandb.ai/models/sweeps/sweep-config-keys#early_terminate
    assert brackets(rule(min_iter=3))[:4] == [3, 9, 27, 81]
    assert brackets(rule(max_iter=27, s=2)) == [3, 9]


def test_brackets_by_hand():
    # 5/2 = 2.5 and 1.25, cut to whole epochs; a third would be below 1.
    assert brackets(rule(max_iter=5, eta=2, s=3)) == [1, 2]
    assert brackets(rule(min_iter=2, eta=1.5))[:5] == [2, 3, 4, 6, 10]
    assert brackets(rule(min_iter=1, eta=2))[-1] == 2**29


# The example of W&B's engine: losses of five trials, of which b is to be stopped.
LOSSES = {"a": [10, 9], "b": [10, 10], "c": [10, 8, 8], "d": [10, 7, 7], "e": [10, 6, 6]}


@pytest.mark.parametrize("goal", ["minimize", "maximize"])
def test_the_example_of_the_engine(goal):
    # After epoch 2 the losses are 6, 7, 8, 9, 10; at eta 2 the threshold is number int(5/2) from 0, 8.
    sign = 1 if goal == "minimize" else -1
    values = {name: [sign * loss for loss in losses] for name, losses in LOSSES.items()}
    stopped = {
        name
        for name, own in values.items()
        if falls_behind(rule(max_iter=5, eta=2, s=2), own, list(values.values()), goal=goal)
    }
    assert stopped == {"a", "b"}


def test_nothing_is_stopped_before_the_first_comparison_or_alone():
    settings = rule(min_iter=3)
    assert not falls_behind(settings, [9.0, 9.0], [[9.0, 9.0], [0.0] * 9], goal="minimize")
    assert not falls_behind(settings, [9.0] * 5, [[9.0] * 5], goal="minimize")
    assert not falls_behind(settings, [], [[]], goal="minimize")


def test_strict_looks_at_the_epoch_itself_and_the_other_at_the_best_so_far():
    # At epoch 2 the threshold of [1, 5] is number int(2/2) = 5; the own value there is 7, the best so far 3.
    others = [[3, 7, 3], [4, 1], [4, 5]]
    assert falls_behind(rule(min_iter=2, eta=2), others[0], others, goal="minimize")
    assert not falls_behind(rule(min_iter=2, eta=2, strict=False), others[0], others, goal="minimize")
