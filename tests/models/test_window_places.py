from itertools import pairwise

import numpy as np
import pytest

from medvision.models.window_places import window_starts, window_weights


@pytest.mark.parametrize("overlap", [0.0, 0.5, 0.75, 0.99])
def test_windows_cover_a_side_evenly_and_overlap_enough(overlap):
    for length in range(8, 60):
        starts = window_starts(length, 8, overlap)
        assert (starts[0], starts[-1]) == (0, length - 8)
        steps = [right - left for left, right in pairwise(starts)]
        assert all(0 < step <= max(8 * (1 - overlap), 1) for step in steps)
        assert not steps or max(steps) - min(steps) <= 1


def test_a_side_as_long_as_a_window_has_one():
    assert window_starts(8, 8, 0.5) == [0]


def test_weights_are_those_of_monai_down_to_a_thousandth():
    utils = pytest.importorskip("monai.data.utils")
    expected = utils.compute_importance_map((24, 24), mode="gaussian", sigma_scale=0.125)
    assert np.allclose(window_weights(24).clip(min=1e-3), expected.numpy(), atol=1e-6)


@pytest.mark.parametrize("size", [1, 32, 33, 512])
def test_weights_are_positive_and_symmetric(size):
    weights = window_weights(size)
    assert weights.min() > 0
    assert np.allclose(weights, weights[::-1])
    assert np.array_equal(weights, weights.T)


def test_the_centre_counts_most():
    weights = window_weights(33)
    assert weights[16, 16] == 1 == weights.max()
