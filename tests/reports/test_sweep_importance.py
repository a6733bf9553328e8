import numpy as np
import optuna
import pytest

from medvision.reports.sweep_importance import FEWEST_TRIALS, LEAST_EXPLAINED, parameter_importance
from medvision.reports.sweep_inputs import read_sweep
from tests.reports.swept import draw_trials, write_sweep

TWO = {"a": {"min": 0.0, "max": 1.0}, "b": {"min": 0.0, "max": 1.0}}


def additive(count, *, first=3.0, second=1.0):
    """The metric is 3 a + b of a grid: functional ANOVA by hand gives 9/10 and 1/10 of the variance."""
    side = np.linspace(0, 1, count)
    a, b = (axis.ravel() for axis in np.meshgrid(side, side))
    table = draw_trials(len(a))[["trial", "state", "epochs", "seconds", "run"]]
    return table.assign(value=first * a + second * b, a=a, b=b)


def of(path, trials, **changes):
    return parameter_importance(read_sweep(write_sweep(path, trials, **changes)))


def test_shares_are_those_of_the_variance(tmp_path):
    found = of(tmp_path / "sweep", additive(11), parameters=TWO)
    assert list(found.shares) == ["a", "b"]
    assert found.shares["a"] == pytest.approx(0.9, abs=0.03)
    assert found.shares["b"] == pytest.approx(0.1, abs=0.03)
    assert found.explained > 0.95
    assert found.trials == 121


def test_an_interaction_is_nobodys_own(tmp_path):
    trials = additive(11)
    found = of(tmp_path / "sweep", trials.assign(value=(trials["a"] - 0.5) * (trials["b"] - 0.5)), parameters=TWO)
    assert sum(found.shares.values()) < 0.1


def test_a_category_explains_what_it_makes(tmp_path):
    trials = draw_trials(80, noise=0.0)
    found = of(tmp_path / "sweep", trials.assign(value=(trials["model.backbone"] == "resnet18").astype(float)))
    assert next(iter(found.shares)) == "model.backbone"
    assert found.shares["model.backbone"] > 0.95


@pytest.mark.parametrize(("count", "seed"), [(12, 0), (12, 1), (12, 2), (30, 3), (60, 4)])
def test_noise_has_no_shares(tmp_path, count, seed):
    trials = draw_trials(count)
    found = of(tmp_path / "sweep", trials.assign(value=np.random.default_rng(seed).normal(size=count)))
    assert found.explained < LEAST_EXPLAINED
    assert found.shares == {}


def test_few_trials_have_no_shares(tmp_path):
    found = of(tmp_path / "sweep", draw_trials(FEWEST_TRIALS - 1))
    assert (found.shares, found.explained, found.trials) == ({}, None, FEWEST_TRIALS - 1)
    assert of(tmp_path / "other", draw_trials(FEWEST_TRIALS)).explained is not None


def test_equal_values_have_no_shares(tmp_path):
    assert of(tmp_path / "sweep", draw_trials(20).assign(value=0.5)).explained is None


def test_one_trial_that_diverged_does_not_decide(tmp_path):
    trials = additive(11)
    trials.loc[7, "value"] = -1e9
    found = of(tmp_path / "sweep", trials, parameters=TWO)
    assert found.shares["a"] > 0.5


def test_trials_without_a_value_are_left_out(tmp_path):
    trials = draw_trials(30)
    trials.loc[:4, "value"] = None
    assert of(tmp_path / "sweep", trials).trials == 25


def test_the_same_trials_give_the_same_shares_and_no_line_of_optuna(tmp_path, capfd):
    folder = write_sweep(tmp_path / "sweep")
    before = optuna.logging.get_verbosity()
    assert parameter_importance(read_sweep(folder)) == parameter_importance(read_sweep(folder))
    assert optuna.logging.get_verbosity() == before
    assert capfd.readouterr().err == ""
