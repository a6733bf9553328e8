import numpy as np
import pytest

from medvision.evaluation.headline import LabelSide
from medvision.evaluation.learning_curve import Measured, extrapolate, measure, resample_means, size_weights
from medvision.evaluation.levels import read_levels
from medvision.evaluation.metrics import classification_metrics
from medvision.evaluation.operating_point import UNCHANGED
from tests.drawn_curves import CLASSES, draw_rows

SIZES = np.array([100.0, 200.0, 400.0, 800.0, 1600.0])


def curve(errors, *, patients=0.0, spread=0.0, repeats=3, resamples=500, seed=0):
    """A measured curve; every resample of patients shifts all points, every repeat is off by itself."""
    random = np.random.default_rng(seed)
    values = 1 - np.asarray(errors)[:, None] + random.normal(0, spread, (len(errors), repeats))
    shift = random.normal(0, patients, resamples)
    return Measured(SIZES[: len(errors)], values, values[:, :, None] + shift, 50)


def errors(a=0.05, b=0.1, c=0.5, sizes=SIZES):
    return a + b * (sizes / SIZES[-1]) ** -c


def level_of(rows):
    return read_levels(rows, CLASSES, [], multilabel=False, decision=UNCHANGED)["image"]


def test_every_part_is_scored_on_the_same_resamples():
    rows = {size: [draw_rows("small", size, repeat) for repeat in range(2)] for size in (100, 400)}
    levels = {size: [level_of(table) for table in tables] for size, tables in rows.items()}
    sides = {size: [LabelSide(level.labels) for level in found] for size, found in levels.items()}
    groups = levels[100][0].groups
    found = measure(sides, groups, resamples=40, seed=3)
    expected = [
        [classification_metrics(table, CLASSES, resamples=0)["image"]["auroc"]["value"] for table in tables]
        for tables in rows.values()
    ]
    assert found.values == pytest.approx(np.array(expected))
    assert found.drawn.shape == (2, 2, 40)
    alone = measure({100: sides[100]}, groups, resamples=40, seed=3)
    assert np.array_equal(found.drawn[0], alone.drawn[0])
    # Half of the patients are sick.
    assert found.patients == 30


def test_one_patient_alone_or_no_resample_makes_no_curve():
    level = level_of(draw_rows("small", 100, 0))
    side = LabelSide(level.labels)
    assert measure({100: [side]}, np.zeros_like(level.groups), resamples=40, seed=0) is None
    assert measure({100: [side]}, level.groups, resamples=0, seed=0) is None


def test_the_mean_of_few_repeats_varies_as_much_as_a_mean_does():
    values = np.array([[0.7, 0.8, 0.9], [0.85, 0.9, 0.95]])
    measured = Measured(SIZES[:2], values, np.repeat(values[:, :, None], 20000, axis=2), 50)
    means = resample_means(measured, 0)
    assert means.mean(axis=1) == pytest.approx(values.mean(axis=1), abs=0.002)
    assert means.var(axis=1) == pytest.approx(values.var(axis=1, ddof=1) / 3, rel=0.05)


def test_resamples_that_leave_a_value_undefined_are_left_out():
    measured = curve(errors(), patients=0.01)
    measured.drawn[2, 1, :100] = np.nan
    assert resample_means(measured, 0).shape == (5, 400)
    measured.drawn[2, 1, :300] = np.nan
    fitted = extrapolate(measured, 0)
    assert fitted["a"]["low"] is None
    assert fitted["needed"]["why"].startswith("one repeat, or too few patients")


def test_half_of_a_weight_is_common():
    means = np.array([[0.0, 0.2], [0.0, 0.4]])
    # Variances 0.01 and 0.04, mean 0.025.
    assert size_weights(means) == pytest.approx([2 / 0.035, 2 / 0.065])


def test_a_clean_curve_says_how_many_images_a_point_takes():
    fitted = extrapolate(curve(errors(), patients=0.002, spread=0.0002), 0)
    # 0.1 (n / 1600)^-0.5 = 0.09 at n = 1600 / 0.81.
    assert fitted["needed"]["value"] == pytest.approx(1600 / 0.81 - 1600, rel=0.03)
    assert fitted["needed"]["low"] < fitted["needed"]["value"] < fitted["needed"]["high"] < 1000
    assert fitted["needed"]["why"] is None
    assert fitted["a"]["low"] <= 0.05 <= fitted["a"]["high"]
    last = fitted["curve"][-1]
    assert last["images"] == pytest.approx(16000)
    assert last["low"] < 1 - (0.05 + 0.1 * 10**-0.5) < last["high"]
    assert last["low"] < last["value"] < last["high"]


def test_a_noisy_curve_gives_a_least_number_only():
    needed = extrapolate(curve(errors(), patients=0.02, spread=0.06), 0)["needed"]
    assert needed["high"] is None
    assert needed["low"] > 0
    assert "no end" in needed["why"]


def test_a_metric_that_falls_has_no_gain_and_no_exponent():
    fitted = extrapolate(curve([0.2, 0.21, 0.22, 0.23], patients=0.01, spread=0.001), 0)
    assert fitted["needed"]["why"] == "no gain: the metric did not rise with the number of images"
    assert fitted["c"] == {"value": None, "low": None, "high": None}
    three = extrapolate(curve([0.2, 0.21, 0.22], patients=0.01, spread=0.001), 0)
    assert three["needed"]["why"].startswith("no gain")


def test_a_flat_curve_has_no_gain():
    needed = extrapolate(curve([0.2, 0.2, 0.2, 0.2, 0.2], patients=0.02, spread=0.0002), 0)["needed"]
    assert needed["value"] is needed["low"] is needed["high"] is None
    assert needed["why"].startswith("no gain")


def test_three_sizes_have_a_curve_within_the_data_and_a_least_number():
    fitted = extrapolate(curve(errors()[:3], patients=0.01, spread=0.001), 0)
    assert not fitted["asymptote"]
    assert fitted["curve"][-1]["images"] == pytest.approx(400)
    assert fitted["needed"]["high"] is None
    assert fitted["needed"]["low"] <= fitted["needed"]["value"]
    # A curve that levels off at 0.05 needs more than one that never does.
    true = 1600 * (0.1 / (errors()[2] - 0.01 - 0.05)) ** 2 - 400
    assert fitted["needed"]["low"] < true


def test_two_sizes_have_no_curve():
    assert extrapolate(curve(errors()[:2]), 0) == {
        "needed": {
            "points": 0.01,
            "beyond": 200,
            "value": None,
            "low": None,
            "high": None,
            "why": "2 sizes: any power law fits",
        }
    }


def test_one_repeat_has_a_curve_without_intervals():
    fitted = extrapolate(curve(errors(), patients=0.01, repeats=1), 0)
    assert fitted["curve"][0]["value"] == pytest.approx(1 - errors()[0], abs=0.002)
    assert fitted["curve"][0]["low"] is None
    assert fitted["needed"]["low"] is None
    assert "one repeat" in fitted["needed"]["why"]


def test_the_same_seed_gives_the_same_numbers():
    measured = curve(errors(), patients=0.02, spread=0.01)
    assert extrapolate(measured, 4) == extrapolate(measured, 4)
    assert extrapolate(measured, 4) != extrapolate(measured, 5)


@pytest.mark.slow
def test_the_band_holds_the_truth():
    """Patients that are alike in all parts, repeats that are luckier than others: the truth is a power law."""
    sizes, ahead = SIZES[:4], np.array([800.0, 3200.0])
    held = []
    for seed in range(60):
        random = np.random.default_rng(seed)
        hard = random.normal(0, 0.05, 80)
        luck = random.normal(0, 0.02, (4, 3))
        chance = np.clip(errors(sizes=sizes)[:, None, None] + luck[:, :, None] + hard, 0, 1)
        wrong = random.binomial(3, chance) / 3
        weights = random.multinomial(80, [1 / 80] * 80, size=300).T / 80
        fitted = extrapolate(Measured(sizes, 1 - wrong.mean(axis=2), 1 - wrong @ weights, 80), seed)
        for n in ahead:
            point = min(fitted["curve"], key=lambda point, n=n: abs(point["images"] - n))
            held.append(point["low"] <= 1 - errors(sizes=np.array([point["images"]]))[0] <= point["high"])
    assert np.mean(held) >= 0.9
