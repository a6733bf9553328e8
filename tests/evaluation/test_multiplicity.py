import numpy as np
import pytest

from medvision.evaluation.multiplicity import holm


def test_a_published_example():
    # Holm 1979's procedure on the p values of Wright, Adjusted P-values for simultaneous inference (1992), by hand:
    # 0.01 * 5, 0.02 * 4, 0.03 * 3, and from there on never less.
    assert holm([0.01, 0.02, 0.03, 0.04, 0.05]) == pytest.approx([0.05, 0.08, 0.09, 0.09, 0.09])


def test_order_is_kept_and_what_was_not_tested_does_not_count():
    assert holm([0.04, None, 0.01, 0.03]) == [pytest.approx(0.06), None, pytest.approx(0.03), pytest.approx(0.06)]
    assert holm([]) == []
    assert holm([None]) == [None]
    assert holm([0.2]) == [0.2]
    assert holm([0.6, 0.7]) == [1.0, 1.0]


@pytest.mark.parametrize("seed", range(5))
def test_it_rejects_what_the_step_down_procedure_rejects(seed):
    random = np.random.default_rng(seed)
    p = random.random(8) ** 4
    # As Holm has it: from the smallest on, as long as p <= alpha / (tests that are left).
    rejected = np.zeros(8, dtype=bool)
    for step, k in enumerate(np.argsort(p)):
        if p[k] > 0.05 / (8 - step):
            break
        rejected[k] = True
    np.testing.assert_array_equal(np.array(holm(list(p))) <= 0.05, rejected)


def test_a_family_without_differences_is_wrong_anywhere_as_rarely_as_it_says():
    p = np.random.default_rng(0).random((2000, 6))
    wrong = np.mean([min(holm(list(row))) <= 0.05 for row in p])
    assert wrong == pytest.approx(0.05, abs=0.012)
    assert (p.min(axis=1) <= 0.05).mean() > 0.2
