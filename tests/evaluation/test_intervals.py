import numpy as np
import pytest
from scipy.stats import binomtest, bootstrap, norm, t

from medvision.evaluation.intervals import (
    Resampled,
    acceleration,
    bca_interval,
    degrees_of_freedom,
    interval_entry,
    jackknife_interval,
    mirrored_interval,
    normal_quantile,
    percentile_interval,
    resample,
    separated_interval,
    wilson_interval,
)

# 26 children's spatial perception (Efron & Tibshirani 1993, table 14.1, column A).
SPATIAL = np.array(
    [48, 36, 20, 29, 42, 42, 20, 42, 22, 41, 45, 14, 6, 0, 33, 28, 34, 4, 32, 24, 47, 41, 24, 26, 30, 41], np.float64
)


def leave_one_out(values, statistic):
    return np.array([statistic(np.delete(values, k)) for k in range(len(values))])


# BCa


def test_bca_is_that_of_the_published_example():
    drawn = SPATIAL[np.random.default_rng(0).integers(26, size=(100_000, 26))].var(axis=1)
    left_out = leave_one_out(SPATIAL, np.var)
    assert np.var(SPATIAL) == pytest.approx(171.5, abs=0.05)
    assert acceleration(left_out) == pytest.approx(0.061, abs=5e-4)
    # Table 14.2, from 2000 resamples; these are more.
    assert bca_interval(drawn, 171.534, left_out, level=0.9) == pytest.approx((115.8, 259.6), rel=0.01)


@pytest.mark.parametrize("statistic", [np.mean, np.median, np.std, lambda x, axis=-1: np.max(x, axis=axis)])
@pytest.mark.parametrize("level", [0.8, 0.95])
def test_bca_and_percentile_are_those_of_scipy(statistic, level):
    values = np.random.default_rng(3).exponential(size=23)
    settings = {"n_resamples": 1500, "confidence_level": level, "rng": 4}
    theirs = bootstrap((values,), statistic, method="BCa", **settings)
    ours = bca_interval(
        theirs.bootstrap_distribution, float(statistic(values)), leave_one_out(values, statistic), level
    )
    assert ours == pytest.approx(tuple(theirs.confidence_interval), rel=1e-6)
    plain = bootstrap((values,), statistic, method="percentile", **settings)
    assert percentile_interval(plain.bootstrap_distribution, level) == pytest.approx(tuple(plain.confidence_interval))


def test_without_bias_and_skewness_bca_is_the_percentile_interval():
    drawn = np.arange(-1000.0, 1001)
    left_out = np.array([-2.0, -1, 0, 1, 2])
    assert acceleration(left_out) == 0
    assert bca_interval(drawn, 0, left_out) == pytest.approx(percentile_interval(drawn))


def test_acceleration_by_hand():
    # Mean 3: deviations 2, 1, -3; cubes 8 + 1 - 27 = -18; squares 14.
    assert acceleration(np.array([1.0, 2, 6])) == pytest.approx(-18 / (6 * 14**1.5))
    assert acceleration(np.array([1.0, np.nan, 2, 6])) == acceleration(np.array([1.0, 2, 6]))
    assert acceleration(np.full(9, 0.7)) == acceleration(np.full(9, np.nan)) == 0
    # What differs in the last digit does not differ.
    assert acceleration(np.array([0.3, 0.1 + 0.2, 0.3])) == 0


def test_an_estimate_beyond_all_resamples_gives_their_end():
    drawn = np.linspace(0, 1, 101)
    assert bca_interval(drawn, 2.0, np.array([1.0, 2, 3]))[1] == pytest.approx(1, abs=0.02)
    low, high = bca_interval(drawn, -2.0, np.array([1.0, 2, 3]))
    assert (low, high) == (pytest.approx(0, abs=0.02), pytest.approx(0, abs=0.02))
    # A metric whose standard error explodes: the end of the resamples, not beyond their other end.
    assert bca_interval(drawn, 0.9, np.array([0.0, 0, 0, 0, 0, -9]), patients=2)[1] == 1


def test_resamples_like_the_estimate_count_half():
    drawn = np.repeat([0.0, 1, 2], 100)
    assert bca_interval(drawn, 1.0, np.array([1.0, 2, 3])) == percentile_interval(drawn)
    assert bca_interval(drawn, 1 + 1e-15, np.array([1.0, 2, 3])) == percentile_interval(drawn)


# The middle of the resamples, and its expansion


def test_the_interval_is_the_middle_of_the_defined_values():
    values = np.append(np.arange(101.0), [np.nan] * 50)
    assert percentile_interval(values) == pytest.approx((2.5, 97.5))
    assert percentile_interval(values, level=0.5) == pytest.approx((25, 75))


@pytest.mark.parametrize("interval", [percentile_interval, lambda values: bca_interval(values, 1, np.arange(4.0))])
def test_no_interval_where_most_resamples_are_undefined(interval):
    assert interval(np.array([1.0, np.nan, np.nan])) is None
    assert interval(np.array([np.nan, np.nan])) is None
    assert interval(np.array([1.0, np.nan])) == (1, 1)


def test_expanded_the_interval_of_a_mean_is_that_of_students_t():
    values = np.random.default_rng(0).normal(5, 2, 12)
    # The resampled means of normal values are normal, with the spread of n, not of n - 1.
    shares = (np.arange(200_000) + 0.5) / 200_000
    drawn = norm.ppf(shares, values.mean(), values.std() / np.sqrt(12))
    expected = t.interval(0.95, 11, values.mean(), values.std(ddof=1) / np.sqrt(12))
    assert percentile_interval(drawn, patients=12) == pytest.approx(expected, rel=1e-3)
    plain = percentile_interval(drawn)
    assert plain[1] - plain[0] < 0.9 * (expected[1] - expected[0])


def test_standard_deviations_by_hand():
    assert normal_quantile(None) == pytest.approx(1.959964)
    # t of 9 degrees of freedom is 2.262157, of 4 2.776445.
    assert normal_quantile(10) == pytest.approx(2.262157 * np.sqrt(10 / 9))
    assert normal_quantile(10, freedom=4) == pytest.approx(2.776445 * np.sqrt(10 / 9))
    assert normal_quantile(10, freedom=40) == normal_quantile(10)
    assert normal_quantile(1) == normal_quantile(2) == pytest.approx(12.7062 * np.sqrt(2), rel=1e-5)


def test_degrees_of_freedom_by_hand():
    # Deviations -1, -1, 1, 1 have a kurtosis of 1, and their spread is known exactly.
    assert degrees_of_freedom(np.array([1.0, 1, 3, 3])) == np.inf
    # Deviations 2, 1, -3: 3 * (16 + 1 + 81) / 14² = 1.5.
    assert degrees_of_freedom(np.array([1.0, 2, 6])) == pytest.approx(2 * 3 / 0.5)
    assert degrees_of_freedom(np.array([1.0, np.nan, 2, 6])) == pytest.approx(2 * 3 / 0.5)
    # One of a hundred patients makes all the difference.
    assert degrees_of_freedom(np.append(np.zeros(99), 1.0)) == pytest.approx(2.06, abs=0.01)
    assert degrees_of_freedom(np.full(5, 0.3)) == degrees_of_freedom(np.full(5, np.nan)) == np.inf


def test_degrees_of_freedom_of_normal_values_are_their_number():
    values = norm.ppf((np.arange(100_000) + 0.5) / 100_000)
    assert degrees_of_freedom(values) == pytest.approx(100_000, rel=0.01)


# The intervals of calibration


def test_the_jackknife_of_a_mean_is_students_interval():
    values = np.random.default_rng(0).normal(5, 2, 12)
    expected = t.interval(0.95, 11, values.mean(), values.std(ddof=1) / np.sqrt(12))
    assert jackknife_interval(values.mean(), leave_one_out(values, np.mean), 12) == pytest.approx(expected)


def test_a_jackknife_interval_by_hand():
    # Deviations 2, 1, -3: (3 - 1) / 3 * 14 = 28 / 3; t of 9 degrees of freedom is 2.262157.
    away = 2.262157 * np.sqrt(28 / 3)
    assert jackknife_interval(1.0, np.array([1.0, 2, 6]), 10) == pytest.approx((1 - away, 1 + away))
    assert jackknife_interval(1.0, np.array([1.0, np.nan, 6]), 10) is None


def test_a_mirrored_interval_by_hand():
    # The middle 90 % of 0.1 to 0.3 is 0.11 to 0.29, seen from 0.15 mirrored 0.01 to 0.19.
    drawn = np.linspace(0.1, 0.3, 401)
    tight = percentile_interval(drawn, 0.9, 1000)
    assert tight == pytest.approx((0.11, 0.29), abs=1e-3)
    assert mirrored_interval(drawn, 0.15, 1000, 0.9) == pytest.approx((0.01, 0.29), abs=1e-3)
    assert mirrored_interval(drawn, 0.25, 1000, 0.9) == pytest.approx((0.11, 0.39), abs=1e-3)
    assert mirrored_interval(drawn, 0.1, 1000, 0.9)[0] == 0
    assert mirrored_interval(np.full(4, np.nan), 0.1, 1000) is None


# Formulas


@pytest.mark.parametrize(("successes", "trials"), [(0, 1), (0, 12), (1, 3), (7, 20), (19, 20), (31, 31), (480, 900)])
@pytest.mark.parametrize("level", [0.9, 0.95])
def test_wilson_is_that_of_scipy(successes, trials, level):
    theirs = binomtest(successes, trials).proportion_ci(level, method="wilson")
    assert wilson_interval(successes, trials, level) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


def test_wilson_is_that_of_a_published_example():
    # Newcombe, Two-sided confidence intervals for the single proportion (1998), table I, method 3.
    assert wilson_interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson_interval(15, 148) == pytest.approx((0.0624, 0.1605), abs=5e-5)
    assert wilson_interval(0, 20) == pytest.approx((0, 0.1611), abs=5e-5)
    assert wilson_interval(1, 29) == pytest.approx((0.0061, 0.1718), abs=5e-5)


def test_an_auroc_of_one_of_two_cases_is_one_success_of_one():
    # theta + z sqrt(theta (1 - theta)) = 1, so theta = 1 / (1 + z²).
    low, high = separated_interval(1, 1)
    assert low == pytest.approx(1 / (1 + 1.959964**2), rel=1e-6)
    assert high == 1
    assert low == pytest.approx(wilson_interval(1, 1)[0], rel=1e-6)


@pytest.mark.parametrize(("positives", "negatives"), [(5, 5), (20, 20), (3, 60), (200, 150)])
def test_an_auroc_of_one_is_just_as_far_as_the_level_allows(positives, negatives):
    low, _ = separated_interval(positives, negatives)
    assert low == separated_interval(negatives, positives)[0]
    # Hanley & McNeil 1982, with both counts at their mean (Newcombe 2006).
    middle, one, two = (positives + negatives) / 2, low / (2 - low), 2 * low**2 / (1 + low)
    variance = low * (1 - low) + (middle - 1) * (one - low**2 + two - low**2)
    assert (1 - low) / np.sqrt(variance / (positives * negatives)) == pytest.approx(1.959964, rel=1e-6)
    assert separated_interval(positives + 5, negatives)[0] > low


# Entries


def mean_of(values):
    def score(weights):
        return {"mean": values @ weights / weights.sum(axis=0)}

    return score


def test_resample_draws_and_leaves_out_as_the_method_needs():
    values, groups = np.arange(12.0), np.repeat(np.arange(6), 2)
    bca = resample(mean_of(values), groups, resamples=30, seed=1, method="bca")
    percentile = resample(mean_of(values), groups, resamples=30, seed=1, method="percentile")
    np.testing.assert_array_equal(bca.drawn["mean"], percentile.drawn["mean"])
    assert (bca.drawn["mean"].shape, bca.left_out["mean"].shape, percentile.left_out) == ((30,), (6,), {})
    assert bca.left_out["mean"][0] == pytest.approx(np.arange(2, 12).mean())
    assert resample(mean_of(values), groups, resamples=0, seed=1, method="bca") is None
    assert resample(mean_of(values), np.zeros(12, np.int64), resamples=30, seed=1, method="bca") is None


def entry_of(drawn, value=0.5, method="percentile", patients=30, left_out=(0.4, 0.5, 0.6)):
    resampled = Resampled({"m": np.array(drawn)}, {"m": np.array(left_out)}, method)
    return interval_entry("m", value, resampled, patients)


def test_entries_name_their_method_and_what_is_undefined():
    drawn = np.random.default_rng(0).normal(0.5, 0.1, 500)
    entry = entry_of(drawn)
    assert (entry["low"], entry["high"]) == percentile_interval(drawn, patients=30)
    assert (entry["value"], entry["method"], "undefined_resamples" in entry) == (0.5, "percentile", False)
    skewed = entry_of(drawn, method="bca", left_out=[0.5, 0.5, 0.5, 0.2])
    assert (skewed["low"], skewed["high"]) == bca_interval(drawn, 0.5, np.array([0.5, 0.5, 0.5, 0.2]), patients=30)
    assert skewed["method"] == "bca"
    drawn[:3] = np.nan
    assert entry_of(drawn)["undefined_resamples"] == 3
    drawn[:251] = np.nan
    assert entry_of(drawn) == {"value": 0.5, "low": None, "high": None, "undefined_resamples": 251}


def test_what_cannot_be_known_has_no_interval():
    drawn = np.random.default_rng(0).normal(0.5, 0.1, 500)
    nothing = {"low": None, "high": None}
    assert entry_of(drawn, value=np.nan) == {"value": None, **nothing}
    assert entry_of(drawn, patients=1) == {"value": 0.5, **nothing}
    assert interval_entry("m", 0.5, None, 30) == {"value": 0.5, **nothing}
