import numpy as np
import pytest
from scipy.special import ndtr
from scipy.stats import norm, ttest_1samp

from medvision.evaluation.answers import Answers
from medvision.evaluation.bootstrap import bootstrap_metrics, jackknife_metrics
from medvision.evaluation.intervals import percentile_interval
from medvision.evaluation.levels import read_levels
from medvision.evaluation.operating_point import UNCHANGED
from medvision.evaluation.paired import difference_interval, difference_p, draw_together
from medvision.evaluation.weighted import Scorer, ranked_areas
from tests.paired_models import GROUPS, PATIENTS, simulate, within

CLASSES = ["a", "b", "c"]


def answers(*tables):
    levels = [read_levels(table, CLASSES, (), multilabel=False, decision=UNCHANGED)["image"] for table in tables]
    return Answers(tuple(levels))


def two_tables(draw, **settings):
    """The same cases, answered twice."""
    first, other = draw(seed=0, **settings), draw(seed=1, **settings)
    return first, first.assign(**other[["predicted", "p_a", "p_b", "p_c"]])


# Differences


@pytest.mark.parametrize("interval", ["bca", "percentile"])
def test_differences_are_of_the_same_resamples(draw, interval):
    one, other = map(answers, two_tables(draw))
    drawn = draw_together({"one": one, "other": other}, resamples=70, seed=4, interval=interval)
    entry = drawn.difference("one", "other", "accuracy")
    groups = one.first.groups
    # Each model on its own, with the same seed.
    alone = [bootstrap_metrics(model.score, groups, 70, 4)["accuracy"] for model in (one, other)]
    left_out = [jackknife_metrics(model.score, groups)["accuracy"] for model in (one, other)]
    assert (entry["low"], entry["high"]) == difference_interval(alone[1] - alone[0], left_out[1] - left_out[0], 15)
    assert entry["p"] == difference_p(alone[1] - alone[0], left_out[1] - left_out[0], 15)
    assert entry["value"] == other.values["accuracy"][0] - one.values["accuracy"][0]
    assert entry["error"] == pytest.approx(np.std(alone[1] - alone[0]) * np.sqrt(15 / 14))
    assert (entry["n"], entry["patients"], entry["method"]) == (60, 15, "percentile")
    assert drawn.label_entries("one")["f1"]["method"] == interval
    turned = drawn.difference("other", "one", "accuracy")
    assert (turned["low"], turned["high"]) == (pytest.approx(-entry["high"]), pytest.approx(-entry["low"]))
    assert turned["p"] == pytest.approx(entry["p"])


def test_what_is_hard_for_both_models_does_not_blur_their_difference():
    random = np.random.default_rng(0)
    hard = random.normal(size=60)
    first, second = (hard + random.normal(size=60) / 10 for _ in range(2))

    def interval(of):
        score = lambda weights: {"m": of @ weights / weights.sum(axis=0)}  # noqa: E731
        groups = np.arange(60)
        return np.ptp(percentile_interval(bootstrap_metrics(score, groups, 300, 0)["m"]))

    assert interval(second - first) < interval(first) / 4


def test_the_same_answers_do_not_differ(draw):
    table, _ = two_tables(draw)
    drawn = draw_together({"x": answers(table), "y": answers(table)}, resamples=40, seed=0, interval="bca")
    entry = drawn.difference("x", "y", "auroc")
    assert (entry["value"], entry["low"], entry["high"], entry["p"], entry["error"]) == (0, None, None, 1, 0)


def test_what_cannot_be_known_has_no_interval_and_no_p(draw):
    first, second = two_tables(draw)
    models = {"x": answers(first), "y": answers(second)}
    entry = draw_together(models, resamples=0, seed=0, interval="bca").difference("x", "y", "f1")
    assert (entry["low"], entry["p"], entry["error"]) == (None, None, None)
    assert entry["value"] is not None
    # Class c is not there.
    few = [table[table["target"] != "c"] for table in (first, second)]
    drawn = draw_together({"x": answers(few[0]), "y": answers(few[1])}, resamples=40, seed=0, interval="bca")
    entry = drawn.difference("x", "y", "sensitivity_c")
    assert (entry["value"], entry["low"], entry["p"]) == (None, None, None)
    # All cases of class a are of one patient.
    alone = [table.assign(patient=table["patient"].where(table["target"] != "a", "0")) for table in (first, second)]
    alone = [table[(table["patient"] != "0") | (table["target"] == "a")] for table in alone]
    drawn = draw_together({"x": answers(alone[0]), "y": answers(alone[1])}, resamples=40, seed=0, interval="bca")
    entry = drawn.difference("x", "y", "auroc_a")
    assert (entry["value"] is None, entry["low"], entry["p"]) == (False, None, None)


def test_one_model_right_everywhere_and_the_other_nowhere(draw):
    table = draw(classes=("a", "b")).assign(p_c=0.0)
    right = table.assign(predicted=table["target"])
    wrong = table.assign(predicted=np.where(table["target"] == "a", "b", "a"))
    drawn = draw_together({"x": answers(wrong), "y": answers(right)}, resamples=40, seed=0, interval="bca")
    entry = drawn.difference("x", "y", "accuracy")
    # All resamples are the same, and say nothing of how sure that is.
    assert (entry["value"], entry["low"], entry["p"]) == (1, None, None)


def test_of_repeats_the_difference_is_their_mean(draw):
    first, second = two_tables(draw)
    other = first.assign(**draw(seed=5)[["predicted", "p_a", "p_b", "p_c"]])
    drawn = draw_together(
        {"x": answers(first, second), "y": answers(other, first)}, resamples=40, seed=0, interval="bca"
    )
    entry = drawn.difference("x", "y", "accuracy")
    shares = [(table["predicted"] == table["target"]).mean() for table in (first, second, other)]
    assert entry["repeats"] == [pytest.approx(shares[2] - shares[0]), pytest.approx(shares[0] - shares[1])]
    assert entry["value"] == pytest.approx((shares[2] - shares[1]) / 2)


# Intervals and p


def normal_resamples(values):
    """The resampled means of normal values, without the noise of drawing, and their jackknife."""
    shares = (np.arange(100_000) + 0.5) / 100_000
    drawn = norm.ppf(shares, values.mean(), values.std() / np.sqrt(len(values)))
    return drawn, np.array([np.delete(values, k).mean() for k in range(len(values))])


@pytest.mark.parametrize("shift", [0.05, 0.4, 0.8, -0.6])
def test_of_normal_differences_p_is_that_of_students_test(shift):
    # Two values each: their kurtosis of 1 leaves Student's degrees of freedom.
    values = np.repeat([-1.0, 1.0], 9) + shift
    drawn, left_out = normal_resamples(values)
    theirs = ttest_1samp(values, 0)
    interval = theirs.confidence_interval(0.95)
    assert difference_interval(drawn, left_out, 18) == pytest.approx((interval.low, interval.high), rel=1e-3)
    assert difference_p(drawn, left_out, 18) == pytest.approx(theirs.pvalue, rel=1e-2)


@pytest.mark.parametrize("seed", range(8))
def test_the_interval_at_the_level_of_p_ends_at_0(seed):
    random = np.random.default_rng(seed)
    values = random.exponential(size=20) - random.choice([0.8, 1.3])
    drawn = values[random.integers(20, size=(999, 20))].mean(axis=1)
    left_out = np.array([np.delete(values, k).mean() for k in range(20)])
    p = difference_p(drawn, left_out, 20)
    assert drawn.min() < 0 < drawn.max()
    nearest = min(difference_interval(drawn, left_out, 20, 1 - p), key=abs)
    assert nearest == pytest.approx(0, abs=1e-9)
    low, high = difference_interval(drawn, left_out, 20)
    assert (p < 0.05) == (not low <= 0 <= high)


def test_p_has_an_end_and_zeros_count_as_no_difference():
    left_out = np.tile([0.9, 1.1], 20)
    assert difference_p(np.linspace(1, 2, 99), left_out, 10_000) == pytest.approx(2 / 100, rel=0.01)
    assert difference_p(np.linspace(-1, 1, 99), left_out, 40) == pytest.approx(1)
    # Half of the resamples show no difference at all.
    assert difference_p(np.append(np.zeros(50), np.ones(49)), left_out, 40) == pytest.approx(1)
    some = difference_p(np.append(np.zeros(10), np.ones(89)), left_out, 1_000_000)
    assert some == pytest.approx(2 * 9 / 98, rel=0.02)


def test_few_who_make_all_the_difference_widen_the_interval():
    drawn = np.linspace(-1, 3, 401)
    even, one = np.tile([0.9, 1.1], 20), np.append(np.ones(39), 0.0)
    widths = [np.ptp(difference_interval(drawn, left_out, 40)) for left_out in (even, one)]
    assert widths[1] > widths[0]
    assert difference_p(drawn, one, 40) > difference_p(drawn, even, 40)


def test_no_interval_where_most_resamples_are_undefined():
    left_out = np.array([0.9, 1.1, 1.0])
    assert difference_interval(np.array([1.0, np.nan, np.nan]), left_out, 9) is None
    assert difference_interval(np.full(3, np.nan), left_out, 9) is None


# Simulated studies


@pytest.mark.parametrize(("distances", "dice"), [((2.0, 2.0), (1.5, 1.5)), ((1.5, 2.2), (1.5, 1.9))])
def test_intervals_of_differences_hold_the_truth_as_often_as_they_say(distances, dice):
    random, repetitions = np.random.default_rng(12), 80
    truth = {
        "auroc": np.diff(ndtr(np.array(distances) / np.sqrt(2)))[0],
        "accuracy": np.diff(ndtr(np.array(distances) / 2))[0],
        "dice": np.diff(ndtr(np.array(dice) / np.sqrt(1 + 0.8**2)))[0],
    }
    held, agreed = dict.fromkeys(truth, 0), 0
    for seed in range(repetitions):
        scored = [model_score(model) for model in simulate(random, distances, dice)]

        def score(weights, scored=scored):
            one, other = (model(weights) for model in scored)
            return {name: other[name] - one[name] for name in truth}

        drawn, left_out = bootstrap_metrics(score, GROUPS, 200, seed), jackknife_metrics(score, GROUPS)
        for name, value in truth.items():
            low, high = difference_interval(drawn[name], left_out[name], PATIENTS)
            held[name] += low <= value <= high
            agreed += (difference_p(drawn[name], left_out[name], PATIENTS) < 0.05) == (not low <= 0 <= high)
    assert agreed == 3 * repetitions
    for name, count in held.items():
        assert within(count, repetitions, 0.95), (name, count)


def model_score(model):
    """The few metrics that are judged, without the others' cost."""
    scorer, dice = Scorer(model.first.labels), model.first.masks.cases.values[:, 0, 0]
    ranking = scorer.ranked[1]

    def score(weights):
        total = weights.sum(axis=0)
        area, _ = ranked_areas(ranking, weights)
        return {"auroc": area, "accuracy": scorer.correct @ weights / total, "dice": dice @ weights / total}

    return score
