import json
import math

import numpy as np
import pandas as pd
import pytest

from medvision.errors import RunError
from medvision.reports.sweep_inputs import flat_parameters, parameter_of, read_sweep
from medvision.runs import RunFolder
from medvision.sweeps.distributions import ppf
from tests.reports.swept import draw_trials, write_sweep


def rows(values, **columns):
    table = draw_trials(len(values)).assign(value=values)
    return table.assign(**columns)


def test_parameters_are_read_as_the_sweep_file_means_them(tmp_path):
    trials = draw_trials(8)
    inputs = read_sweep(write_sweep(tmp_path / "sweep", trials))
    rate, backbone, dropout, decay = inputs.parameters
    assert (rate.name, rate.log, rate.range) == ("optimizer.lr", True, (1e-5, 1e-1))
    assert rate.values == pytest.approx(trials["optimizer.lr"].to_numpy())
    assert not dropout.log
    assert backbone.levels == ["vgg_small", "resnet18", "two_layer_cnn"]
    assert [backbone.levels[int(place)] for place in backbone.values] == list(trials["model.backbone"])
    assert list(decay.texts) == ["null", "0.99"] * 4
    assert inputs.fixed == {"trainer.max_epochs": "20"}


def test_the_middle_of_a_logarithmic_axis_is_the_geometric_mean():
    rate = parameter_of("lr", {"distribution": "log_uniform_values", "min": 1e-4, "max": 1e-2}, ["1e-3", "0.0001", ""])
    assert rate.places() == pytest.approx([0.5, 0.0, math.nan], nan_ok=True)
    assert list(rate.texts) == ["0.001", "0.0001", ""]


@pytest.mark.parametrize(
    "spec",
    [
        {"distribution": "uniform", "min": -1, "max": 3},
        {"distribution": "log_uniform", "min": -9.0, "max": -2.0},
        {"distribution": "inv_log_uniform", "min": 1.0, "max": 4.0},
        {"distribution": "inv_log_uniform_values", "min": 0.1, "max": 4.0},
        {"distribution": "log_uniform_values", "min": 1e-5, "max": 0.1},
        {"distribution": "int_uniform", "min": 2, "max": 9},
    ],
    ids=lambda spec: spec["distribution"],
)
def test_the_ends_are_those_of_what_is_drawn(spec):
    ends = parameter_of("x", spec, []).ends()
    assert ends == pytest.approx((ppf(spec, 1e-12), ppf(spec, 1 - 1e-12)), rel=1e-6)


def test_what_has_no_ends_goes_as_far_as_its_trials():
    weight = parameter_of("x", {"distribution": "normal", "mu": 0, "sigma": 1}, ["-0.5", "1.5", "0.5"])
    assert weight.ends() == (-0.5, 1.5)
    assert weight.places() == pytest.approx([0, 1, 0.5])


@pytest.mark.parametrize(
    ("values", "texts", "places"),
    [
        ([16, 32], ["32.0", "16.0"], [1, 0]),
        ([None, "cosine"], ["", "cosine"], [0, 1]),
        ([True, False], ["False", "True"], [1, 0]),
        ([[1, 2], [3]], ["[3]", "[1, 2]"], [1, 0]),
        (["a", "b"], ["c", "b"], [math.nan, 1]),
        ([1e-5, 0.1], ["1e-05", "0.1"], [0, 1]),
    ],
)
def test_a_category_is_found_however_the_table_writes_it(values, texts, places):
    assert parameter_of("x", {"values": values}, texts).values == pytest.approx(places, nan_ok=True)


def test_nested_parameters_have_dotted_names():
    nested = {"model": {"parameters": {"dropout": {"min": 0.0, "max": 1.0}}}, "seed": {"values": [1, 2]}}
    assert list(flat_parameters(nested)) == [("model.dropout", {"min": 0.0, "max": 1.0}), ("seed", {"values": [1, 2]})]


@pytest.mark.parametrize(("goal", "order"), [("maximize", [2, 0, 1, 3]), ("minimize", [1, 0, 2, 3])])
def test_the_best_come_first_and_those_without_a_value_last(tmp_path, goal, order):
    inputs = read_sweep(write_sweep(tmp_path / "sweep", rows([0.5, 0.2, 0.8, math.nan]), goal=goal))
    assert inputs.order == order
    assert inputs.best == order[0]


def test_of_equal_trials_the_chosen_one_comes_first(tmp_path):
    best = {"trial": 1, "value": 0.8, "run": "trials/1"}
    inputs = read_sweep(write_sweep(tmp_path / "sweep", rows([0.8, 0.8, 0.2]), best=best))
    assert inputs.order == [1, 0, 2]


def test_a_trial_that_diverged_does_not_squeeze_the_others(tmp_path):
    # Best 0.1, median 0.3: the axis ends at 0.1 + 6 * 0.2.
    inputs = read_sweep(write_sweep(tmp_path / "sweep", rows([0.1, 0.2, 0.3, 0.5, 1e6]), goal="minimize"))
    assert inputs.value_ends() == pytest.approx((0.1, 1.3))
    assert inputs.shown_values() == pytest.approx([0.1, 0.2, 0.3, 0.5, 1.3])
    other = read_sweep(write_sweep(tmp_path / "other", rows([0.9, 0.8, 0.7, 0.6, 0.5])))
    assert other.value_ends() == pytest.approx((0.5, 0.9))


@pytest.mark.parametrize("values", [[0.5, 0.5, 0.2], [0.5], [0.5, 0.5]])
def test_the_worst_is_seen_where_half_of_the_trials_are_equally_good(tmp_path, values):
    inputs = read_sweep(write_sweep(tmp_path / "sweep", rows(values)))
    assert inputs.value_ends() == (min(values), 0.5)


def test_no_value_is_an_axis_too(tmp_path):
    inputs = read_sweep(write_sweep(tmp_path / "sweep", rows([math.nan, math.inf]), best=None, metrics={}))
    assert inputs.value_ends() == (0.0, 1.0)
    assert inputs.best is None
    assert np.isnan(inputs.trials["value"]).all()


def test_the_winner_tells_whether_images_are_simulated_and_folds_pooled(tmp_path):
    inputs = read_sweep(write_sweep(tmp_path / "sweep", simulated=True, folds=True))
    assert inputs.simulated
    assert inputs.folds
    assert inputs.experiment["question"] == "Which section does this image show?"
    assert not read_sweep(write_sweep(tmp_path / "other")).simulated


def test_the_folds_of_a_trial_tell_it_too(tmp_path):
    folder = write_sweep(tmp_path / "sweep", simulated=True)
    winner = RunFolder(folder.path / json.loads(folder.sweep.read_text())["best"]["run"])
    fold = RunFolder(winner.parts / "fold-0")
    fold.path.mkdir(parents=True)
    winner.environment.rename(fold.environment)
    assert read_sweep(folder).simulated


def test_only_reports_that_are_there_are_linked(tmp_path):
    folder = write_sweep(tmp_path / "sweep", rows([0.5, 0.9]))
    assert read_sweep(folder).reports == {1: "trials/1/report.html"}


def test_a_sweep_before_its_end_is_an_error(tmp_path):
    with pytest.raises(RunError, match=r"sweep\.json"):
        read_sweep(RunFolder(tmp_path))


def test_a_parameter_that_all_trials_share_is_not_varied(tmp_path):
    same = rows([0.5, 0.9], **{"model.dropout": 0.25})
    parameters = {"model.dropout": {"values": [0.25]}, "optimizer.lr": {"min": 0.0, "max": 1.0}}
    inputs = read_sweep(write_sweep(tmp_path / "sweep", same, parameters=parameters))
    assert [parameter.name for parameter in inputs.parameters] == ["optimizer.lr"]
    assert inputs.fixed == {"model.dropout": "0.25"}


def test_a_table_of_one_text_column_stays_text(tmp_path):
    trials = pd.DataFrame({"trial": [0], "state": ["failed"], "epochs": [0], "seconds": [1.0], "value": [None]})
    inputs = read_sweep(
        write_sweep(tmp_path / "sweep", trials.assign(run="", x="007"), parameters={"x": {"values": ["007", "8"]}})
    )
    assert list(inputs.parameters[0].texts) == ["007"]
