import numpy as np
import pytest
from scipy.optimize import curve_fit

from medvision.evaluation.power_law import PowerLaws, fit_power_laws

SIZES = np.array([100.0, 200.0, 400.0, 800.0, 1600.0])


def law(n, a, b, c):
    return a + b * (n / SIZES[-1]) ** -c


@pytest.mark.parametrize(("a", "b", "c"), [(0.05, 0.1, 0.5), (0.0, 0.3, 0.3), (0.2, 0.02, 1.2)])
def test_a_curve_without_noise_is_found_again(a, b, c):
    fitted = fit_power_laws(SIZES, law(SIZES, a, b, c)[:, None], np.ones(5))
    ahead = np.array([3200.0, 16000.0])
    assert fitted.error(ahead)[:, 0] == pytest.approx(law(ahead, a, b, c), abs=0.0005)
    assert fitted.exponent[0] == pytest.approx(c, rel=0.01)
    assert fitted.floor[0] == pytest.approx(a, abs=0.003)


def test_no_local_search_finds_a_better_curve():
    random = np.random.default_rng(0)
    errors = law(SIZES, 0.05, 0.1, 0.6)[:, None] + random.normal(0, 0.01, (5, 20))
    weights = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    fitted = fit_power_laws(SIZES, errors, weights)
    left = weights @ (errors - fitted.error(SIZES)) ** 2
    for k in range(20):
        best, _ = curve_fit(
            law, SIZES, errors[:, k], [0.03, 0.1, 0.5], weights**-0.5, bounds=([0, 0, 0.05], [1, 1, 2]), maxfev=20000
        )
        found = weights @ (errors[:, k] - law(SIZES, *best)) ** 2
        # The exponents are a grid: as good as the best to a part in fifty.
        assert left[k] <= found * 1.02 + 1e-12


def test_resamples_are_fitted_each_for_itself():
    errors = np.stack([law(SIZES, 0.05, 0.1, 0.5), law(SIZES, 0.1, 0.05, 1.0)], axis=1)
    both = fit_power_laws(SIZES, errors, np.ones(5))
    for k in range(2):
        alone = fit_power_laws(SIZES, errors[:, k : k + 1], np.ones(5))
        assert both.error(SIZES)[:, k] == pytest.approx(alone.error(SIZES)[:, 0])


def test_the_weights_say_which_size_to_trust():
    errors = law(SIZES, 0.05, 0.1, 0.5)
    errors[0] += 0.1
    trusting = fit_power_laws(SIZES, errors[:, None], np.ones(5))
    knowing = fit_power_laws(SIZES, errors[:, None], np.array([1e-9, 1, 1, 1, 1]))
    assert knowing.error(SIZES)[1:, 0] == pytest.approx(errors[1:], abs=0.001)
    assert np.abs(trusting.error(SIZES)[1:, 0] - errors[1:]).max() > 0.005


def test_an_error_that_does_not_fall_is_flat_at_its_mean():
    fitted = fit_power_laws(SIZES, np.array([0.1, 0.11, 0.12, 0.13, 0.14])[:, None], np.ones(5))
    assert fitted.error(np.array([100.0, 1e6]))[:, 0] == pytest.approx([0.12, 0.12])
    assert fitted.images_for(np.array([0.11])) == np.inf


def test_three_sizes_have_no_floor():
    sizes = SIZES[:3]
    fitted = fit_power_laws(sizes, (0.1 + 0.2 * (sizes / 100) ** -1.0)[:, None], np.ones(3))
    assert fitted.floor[0] == 0
    assert 0 < fitted.exponent[0] < 1
    flat = fit_power_laws(sizes, np.array([[0.1], [0.12], [0.14]]), np.ones(3))
    assert flat.exponent[0] == 0
    assert flat.error(np.array([1e6]))[0, 0] == pytest.approx(0.12)
    assert flat.images_for(np.array([0.1])) == np.inf


def test_images_for_an_error_by_hand():
    laws = PowerLaws(np.array([0.1, 0.1]), np.array([0.2, 0.2]), np.array([0.5, 1.0]), 1000.0)
    # 0.1 + 0.2 (n / 1000)^-c = 0.2 where (n / 1000)^-c = 1 / 2: at n = 4000 for c = 1/2, at 2000 for c = 1.
    assert laws.images_for(np.array([0.2, 0.2])) == pytest.approx([4000, 2000])
    assert laws.images_for(np.array([0.1, 0.05])).tolist() == [np.inf, np.inf]
    assert laws.error(np.array([1000.0, 4000.0]))[:, 0] == pytest.approx([0.3, 0.2])
