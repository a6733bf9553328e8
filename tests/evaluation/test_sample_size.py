import numpy as np
import pytest
from scipy.stats import norm

from medvision.evaluation.sample_size import patients_needed


def test_a_textbook_example():
    # A mean difference of half a standard deviation, 80 % power, two-sided 5 %: (1.96 + 0.8416)² / 0.5² = 31.4.
    assert patients_needed(0.5, 1 / np.sqrt(100), 100) == 32
    assert patients_needed(-0.5, 1 / np.sqrt(100), 100) == 32
    # 90 %: (1.96 + 1.2816)² / 0.25 = 42.03.
    assert patients_needed(0.5, 0.1, 100, power=0.9) == 43


def test_half_the_difference_needs_four_times_the_patients():
    assert patients_needed(0.01, 0.01, 1000) == pytest.approx(4 * patients_needed(0.02, 0.01, 1000), abs=4)


@pytest.mark.parametrize("alpha", [0.05, 0.01])
def test_so_many_patients_find_the_difference_as_often_as_said(alpha):
    difference, spread = 0.03, 0.12
    n = patients_needed(difference, spread / np.sqrt(50), 50, alpha=alpha)
    means = np.random.default_rng(0).normal(difference, spread / np.sqrt(n), 20_000)
    found = np.abs(means) * np.sqrt(n) / spread > norm.ppf(1 - alpha / 2)
    assert found.mean() == pytest.approx(0.8, abs=0.01)
