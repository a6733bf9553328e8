from itertools import product

import numpy as np
import pytest
from scipy.stats import binomtest, permutation_test, wilcoxon
from sklearn.metrics import balanced_accuracy_score

from medvision.evaluation import exchange
from medvision.evaluation.exchange import mcnemar, signed_ranks, swap_patients

# McNemar


def right(only_first, only_second, both=3):
    first = np.repeat([True, False, True], [only_first, only_second, both])
    return first, np.repeat([False, True, True], [only_first, only_second, both])


@pytest.mark.parametrize(("only_first", "only_second"), [(1, 7), (10, 2), (5, 5), (0, 6), (1, 0), (40, 61)])
def test_mcnemar_is_a_fair_coin(only_first, only_second):
    found = mcnemar(*right(only_first, only_second))
    assert (found.only_first, found.only_second) == (only_first, only_second)
    assert found.p == pytest.approx(binomtest(only_first, only_first + only_second).pvalue)


def test_mid_p_is_that_of_the_published_example():
    # Airway hyper-responsiveness before and after transplantation, 1 and 7 discordant pairs (Fagerland, Lydersen &
    # Laake 2013, table 1): exact p 0.0703, mid-p 0.0391.
    found = mcnemar(*right(1, 7))
    assert (found.p, found.p_mid) == (pytest.approx(0.0703, abs=5e-5), pytest.approx(0.0391, abs=5e-5))


def test_mid_p_counts_what_was_seen_half():
    probabilities = np.array([binomtest(k, 9).pvalue for k in range(5)]) / 2
    assert mcnemar(*right(2, 7)).p_mid == pytest.approx(probabilities[1] + probabilities[2])
    assert mcnemar(*right(4, 4)).p_mid == pytest.approx(1)
    assert mcnemar(*right(0, 0)).p_mid == mcnemar(*right(0, 0)).p == 1


# Swaps of patients


def mean(counts):
    return counts[..., 0] / 20


def test_swaps_are_those_of_scipy():
    random = np.random.default_rng(0)
    first, second = random.integers(0, 5, (2, 10, 1, 1)).astype(np.float64)
    theirs = permutation_test(
        (second[:, 0, 0], first[:, 0, 0]),
        lambda a, b, axis: (a.sum(axis=axis) - b.sum(axis=axis)) / 20,
        permutation_type="samples",
        n_resamples=np.inf,
    )
    found = swap_patients(first, second, mean)
    assert (found.difference, found.exact) == (pytest.approx(theirs.statistic), True)
    assert found.p == pytest.approx(theirs.pvalue)


def test_a_metric_that_is_no_sum_by_trying_every_swap():
    random = np.random.default_rng(3)
    patient, truth = np.repeat(np.arange(6), 3), random.random(18) < 0.5
    answers = [np.where(random.random(18) < share, truth, ~truth) for share in (0.6, 0.9)]

    def balanced(said):
        return balanced_accuracy_score(truth, said)

    differences = []
    for swaps in product([False, True], repeat=6):
        swap = np.array(swaps)[patient]
        one, other = np.where(swap, answers[1], answers[0]), np.where(swap, answers[0], answers[1])
        differences.append(balanced(other) - balanced(one))
    observed = balanced(answers[1]) - balanced(answers[0])
    expected = np.mean(np.abs(differences) >= abs(observed) - 1e-9)

    counts = [
        np.stack([np.bincount(patient, said & truth), np.bincount(patient, ~said & ~truth)], axis=1)[:, None].astype(
            float
        )
        for said in answers
    ]
    true = np.array([truth.sum(), (~truth).sum()])
    found = swap_patients(*counts, lambda sums: (sums / true).mean(axis=-1))
    assert (found.difference, found.p) == (pytest.approx(observed), pytest.approx(expected))


def test_of_many_patients_swaps_are_drawn(monkeypatch):
    random = np.random.default_rng(1)
    first, second = random.integers(0, 5, (2, 12, 1, 1)).astype(np.float64)
    exact = swap_patients(first, second, mean)
    monkeypatch.setattr(exchange, "MOST_EXACT", 3)
    drawn = swap_patients(first, second, mean, seed=1)
    assert (exact.exact, drawn.exact, drawn.difference) == (True, False, exact.difference)
    assert drawn.p == pytest.approx(exact.p, abs=0.02)
    assert drawn == swap_patients(first, second, mean, seed=1)
    # The observed difference is one of the draws, so that p is never 0.
    far = swap_patients(np.zeros((30, 1, 1)), np.ones((30, 1, 1)), mean, permutations=99)
    assert far.p == 1 / 100


def test_repeats_are_swapped_together_and_averaged():
    random = np.random.default_rng(2)
    first, second = random.integers(0, 5, (2, 8, 3, 1)).astype(np.float64)
    found = swap_patients(first, second, mean)
    assert found.difference == pytest.approx((second - first).sum(axis=0).mean() / 20)
    one = swap_patients(first.mean(axis=1, keepdims=True), second.mean(axis=1, keepdims=True), mean)
    assert found.p == pytest.approx(one.p)
    # Three repeats of the same answers say no more than one.
    again = swap_patients(np.repeat(first[:, :1], 3, axis=1), np.repeat(second[:, :1], 3, axis=1), mean)
    assert again.p == swap_patients(first[:, :1], second[:, :1], mean).p


def test_models_that_cannot_be_told_apart():
    same = np.ones((5, 1, 1))
    found = swap_patients(same, same, mean)
    assert (found.difference, found.p, found.exact) == (0, 1, True)
    undefined = swap_patients(same, same * 2, lambda counts: np.full(counts.shape[:-1], np.nan))
    assert np.isnan([undefined.difference, undefined.p]).all()


# Signed ranks


@pytest.mark.parametrize("n", [5, 12, 40, 80])
def test_signed_ranks_are_those_of_scipy(n):
    first, second = np.random.default_rng(n).random((2, n))
    theirs = wilcoxon(first, second)
    assert signed_ranks(first, second) == (theirs.statistic, theirs.pvalue)


def test_signed_ranks_by_hand():
    # 0.1, 0.2, 0.3, 0.4 up and 0.05 down: rank 1 against 14; of 32 ways 4 are as far out.
    first = np.zeros(5)
    assert signed_ranks(first, np.array([0.1, 0.2, 0.3, 0.4, -0.05])) == (1, pytest.approx(4 / 32))
    # Pairs without a difference, but for rounding, say nothing.
    padded = np.append(np.array([0.1, 0.2, 0.3, 0.4, -0.05]), [0.1 + 0.2 - 0.3] * 30)
    assert signed_ranks(np.zeros(35), padded) == (1, pytest.approx(4 / 32))
    assert signed_ranks(first, first) == (0, 1)
