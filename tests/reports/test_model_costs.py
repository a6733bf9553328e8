import pytest

from medvision.reports.comparison_inputs import ModelFacts
from medvision.reports.model_costs import cost_table, model_costs

FOLDS = [
    {
        "device": "CPU",
        "training_seconds": 60.0,
        "seconds_per_image": 0.01,
        "peak_memory_mib": 512,
        "model": {"parameters": 1_200_000, "trained_parameters": 0},
    },
    {
        "device": "CPU",
        "training_seconds": 120.0,
        "seconds_per_image": 0.03,
        "peak_memory_mib": 1536,
        "model": {"parameters": 1_200_000, "trained_parameters": 0},
    },
]


def facts(name, *runs):
    return ModelFacts(name=name, experiment={}, runs=runs)


def test_folds_are_summed_averaged_and_maximised():
    cost = model_costs(facts("a", *FOLDS))
    assert cost["training_seconds"] == 180
    assert cost["seconds_per_image"] == pytest.approx(0.02)
    assert cost["peak_memory_mib"] == 1536
    assert (cost["parameters"], cost["trained_parameters"], cost["runs"]) == (1_200_000, 0, 2)
    assert cost["peak_gpu_memory_mib"] is None
    assert cost["device"] == "CPU"


def test_a_sum_over_runs_of_which_one_was_not_measured_is_none():
    half = {key: value for key, value in FOLDS[1].items() if key != "training_seconds"}
    assert model_costs(facts("a", FOLDS[0], half))["training_seconds"] is None


def test_the_table_tells_minutes_milliseconds_parameters_and_memory():
    table = cost_table([facts("folds", *FOLDS), facts("one", {"device": "CPU", "training_seconds": 30.0})])
    assert table.heads == ["model", "training", "an image", "parameters", "memory", "device"]
    (_, folds), (_, one) = table.rows
    assert folds[0] == ("3 min 0 s", ["2 runs, 1 min 30 s each"])
    assert folds[1] == ("20 ms", [])
    assert folds[2] == ("1,200,000", ["0 trained"])
    assert folds[3] == ("1.5 GiB", [])
    assert [value for value, _ in one] == ["30 s", "–", "–", "–", "CPU"]
    assert not any("different devices" in note for note in table.notes)


def test_times_of_different_devices_are_not_compared():
    table = cost_table([facts("a", {"device": "CPU"}), facts("b", {"device": "GPU"})])
    assert any("different devices" in note for note in table.notes)
    assert table.heads == ["model", "device"]
