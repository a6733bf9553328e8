"""Clusters against classes: by hand, against scikit-learn, and pair by pair."""

from itertools import combinations, permutations

import numpy as np
import pytest
from sklearn.metrics import (
    accuracy_score,
    adjusted_mutual_info_score,
    adjusted_rand_score,
    normalized_mutual_info_score,
)

from medvision.evaluation.agreement import (
    AGAINST,
    GAPS,
    TOGETHER,
    AgreementScorer,
    compare_partitions,
    count_table,
    match_clusters,
    matched_share,
    score_agreement,
)


def drawn(n=90, patients=18, k=4, classes=3, seed=0):
    """Clusters that agree a little with classes, and more with patients."""
    generator = np.random.default_rng(seed)
    groups = np.repeat(np.arange(patients), n // patients)
    own = generator.integers(k, size=patients)
    truth = np.where(generator.random(n) < 0.5, own[groups] % classes, generator.integers(classes, size=n))
    found = np.where(generator.random(n) < 0.6, own[groups], generator.integers(k, size=n))
    return found, truth, groups


def once(scorer):
    return {name: float(value[0]) for name, value in scorer(np.ones((len(scorer.clusters), 1))).items()}


@pytest.mark.parametrize("seed", range(5))
def test_scores_are_those_of_scikit_learn(seed):
    found, truth, groups = drawn(seed=seed)
    scores = once(AgreementScorer(found, truth, groups, 4, 3))
    assert scores["adjusted_rand"] == pytest.approx(adjusted_rand_score(truth, found))
    assert scores["nmi"] == pytest.approx(normalized_mutual_info_score(truth, found))
    # One name a cluster, by trying all: the fourth cluster has a name that no image shows.
    tried = [accuracy_score(truth, np.array(names)[found]) for names in permutations(range(4))]
    assert scores["accuracy"] == pytest.approx(max(tried))


@pytest.mark.parametrize("seed", range(3))
def test_pairs_are_counted_one_by_one(seed):
    found, truth, groups = drawn(seed=seed)
    counted = {name: [0, 0] for name in TOGETHER}
    for a, b in combinations(range(len(found)), 2):
        if groups[a] == groups[b]:
            kind = "same_patient" if truth[a] == truth[b] else None
        else:
            kind = "same_class" if truth[a] == truth[b] else "other_class"
        if kind is not None:
            counted[kind][0] += found[a] == found[b]
            counted[kind][1] += 1
    scores = once(AgreementScorer(found, truth, groups, 4, 3))
    for name, (together, pairs) in counted.items():
        assert scores[name] == pytest.approx(together / pairs), name
    assert scores["patient_gap"] == pytest.approx(scores["same_patient"] - scores["same_class"])
    assert scores["class_gap"] == pytest.approx(scores["same_class"] - scores["other_class"])


def test_a_weight_of_0_leaves_a_patient_out():
    found, truth, groups = drawn()
    weights = (groups != 3).astype(float)[:, None]
    weighted = AgreementScorer(found, truth, groups, 4, 3)(weights)
    kept = groups != 3
    fewer = AgreementScorer(found[kept], truth[kept], np.unique(groups[kept], return_inverse=True)[1], 4, 3)
    for name, value in once(fewer).items():
        assert float(weighted[name][0]) == pytest.approx(value), name


def test_a_patient_drawn_twice_is_no_pair_with_himself():
    # Two patients drawn twice each: shares of images stay, and so does what is said of pairs of two patients.
    found, truth, groups = drawn()
    scorer = AgreementScorer(found, truth, groups, 4, 3)
    once_each, twice = scorer(np.ones((90, 1))), scorer(np.full((90, 1), 2.0))
    for name, value in once_each.items():
        assert twice[name] == pytest.approx(value), name


def test_by_hand():
    # Two patients of class a with two images each, one of b with two; the clusters are the patients.
    clusters = np.array([0, 0, 1, 1, 2, 2])
    truth = np.array([0, 0, 0, 0, 1, 1])
    scores = once(AgreementScorer(clusters, truth, np.array([0, 0, 1, 1, 2, 2]), 3, 2))
    assert (scores["same_patient"], scores["same_class"], scores["other_class"]) == (1, 0, 0)
    assert (scores["patient_gap"], scores["class_gap"]) == (1, 0)
    assert scores["accuracy"] == pytest.approx(4 / 6)
    # Pairs: 3 agree, 3 in one cluster, 7 in one class, of 15; by chance 3 * 7 / 15 = 1.4; (3 - 1.4) / (5 - 1.4).
    assert scores["adjusted_rand"] == pytest.approx(1.6 / 3.6)
    # Entropies: log 3 of clusters, H of classes; the clusters tell all of the classes.
    entropy = -(2 / 3 * np.log(2 / 3) + 1 / 3 * np.log(1 / 3))
    assert scores["nmi"] == pytest.approx(2 * entropy / (np.log(3) + entropy))


def test_a_single_class_defines_nothing():
    scores = once(AgreementScorer(np.array([0, 0, 0]), np.array([1, 1, 1]), np.arange(3), 2, 2))
    assert np.isnan(scores["adjusted_rand"])
    assert np.isnan(scores["nmi"])
    assert np.isnan(scores["same_patient"])
    assert np.isnan(scores["other_class"])
    assert scores["same_class"] == 1
    assert scores["accuracy"] == 1


def test_clusters_are_named_once():
    counts = [[9, 1], [8, 7], [0, 1]]
    assert match_clusters(counts) == [0, 1, None]
    assert matched_share(np.array(counts, dtype=float)[..., None]) == pytest.approx([16 / 26])
    assert match_clusters([[5, 0, 0], [0, 5, 1]]) == [0, 1]


def test_the_table_counts_images():
    table = count_table(np.array([0, 0, 2]), np.array([1, 1, 0]), 3, 2)
    assert table.tolist() == [[0, 2], [0, 0], [1, 0]]


def test_entries_stand_with_their_intervals():
    found, truth, groups = drawn(n=200, patients=40)
    told = score_agreement(found, truth, groups, ["a", "b", "c"], 4, resamples=300, seed=1, interval="bca")
    assert set(told["metrics"]) == {*AGAINST, *TOGETHER, *GAPS}
    for name, entry in told["metrics"].items():
        assert entry["low"] < entry["value"] < entry["high"], name
        assert (entry["n"], entry["patients"], entry["method"]) == (200, 40, "bca")
    assert told["counts"] == count_table(found, truth, 4, 3).tolist()
    assert told["largest_class"] == pytest.approx(np.bincount(truth).max() / 200)
    names = [None if k is None else "abc"[k] for k in match_clusters(told["counts"])]
    assert told["matched"] == names
    assert sorted(filter(None, names)) == ["a", "b", "c"]
    again = score_agreement(found, truth, groups, ["a", "b", "c"], 4, resamples=300, seed=1, interval="bca")
    assert again == told
    without = score_agreement(found, truth, groups, ["a", "b", "c"], 4, resamples=0, seed=1, interval="bca")
    assert all(entry["low"] is None for entry in without["metrics"].values())


def test_intervals_of_patients_are_wider_than_those_of_images():
    generator = np.random.default_rng(2)
    groups = np.repeat(np.arange(30), 10)
    truth = generator.integers(3, size=30)
    found = np.where(generator.random(30) < 0.7, truth, generator.integers(4, size=30))
    widths = []
    for of in (groups, np.arange(300)):
        told = score_agreement(
            found[groups], truth[groups], of, ["a", "b", "c"], 4, resamples=400, seed=0, interval="percentile"
        )
        entry = told["metrics"]["adjusted_rand"]
        widths.append(entry["high"] - entry["low"])
    # Ten images of a patient say what one would: the interval is about sqrt(10) times as wide.
    assert 2 < widths[0] / widths[1] < 5


def test_the_intervals_hold_the_truth_about_as_often_as_they_say():
    generator = np.random.default_rng(5)
    spread = np.array([[0.6, 0.2, 0.1, 0.1], [0.1, 0.5, 0.3, 0.1], [0.1, 0.1, 0.2, 0.6]])

    def study(patients):
        truth = generator.integers(3, size=patients)
        uniform = generator.random((patients, 6))
        picks = (uniform[:, :, None] > spread.cumsum(axis=1)[truth][:, None, :]).sum(axis=2)
        alike = generator.random((patients, 5)) < 0.5
        found = np.where(alike, picks[:, :1], picks[:, 1:])
        return found.ravel(), np.repeat(truth, 5), np.repeat(np.arange(patients), 5)

    real = once(AgreementScorer(*study(4000), 4, 3))
    held = dict.fromkeys(("adjusted_rand", "accuracy", "patient_gap", "class_gap"), 0)
    for repetition in range(60):
        told = score_agreement(*study(40), ["a", "b", "c"], 4, resamples=200, seed=repetition, interval="bca")
        for name in held:
            held[name] += told["metrics"][name]["low"] <= real[name] <= told["metrics"][name]["high"]
    # Of 60, 95 % are 57; fewer than 51 would be seen once in a hundred times.
    assert min(held.values()) >= 51, held


def test_partitions_are_compared_as_scikit_learn_does():
    found, truth, groups = drawn()
    told = compare_partitions(found, {"classes": truth, "patients": groups})
    for name, other in (("classes", truth), ("patients", groups)):
        assert told[name]["adjusted_rand"] == pytest.approx(adjusted_rand_score(other, found))
        assert told[name]["ami"] == pytest.approx(adjusted_mutual_info_score(other, found))
        assert told[name]["nmi"] == pytest.approx(normalized_mutual_info_score(other, found))
    assert (told["classes"]["groups"], told["patients"]["groups"]) == (3, 18)
