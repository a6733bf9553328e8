from pathlib import Path

import numpy as np
import pytest

from medvision.data.pixels import (
    PIXEL_LIMIT,
    check_size,
    scale_by_depth,
    scale_own_range,
    scale_range,
    with_channels,
)
from medvision.errors import ImageError


@pytest.mark.parametrize("highest", [0, 1, 255, 256, 1023, 1024, 4095, 4096, 16383, 16384, 65535])
def test_depth_is_the_smallest_that_holds_the_maximum(highest: int) -> None:
    full = next(2**bits - 1 for bits in (8, 10, 12, 14, 16) if highest < 2**bits)
    values = np.array([[0, highest // 2, highest]], np.uint16)
    assert np.abs(scale_by_depth(values) - values / full * 255).max() <= 0.501


@pytest.mark.parametrize("dtype", [np.uint16, np.int16, np.int32, np.float32, np.float64])
def test_a_range_becomes_0_to_255_and_the_rest_is_clipped(dtype: type) -> None:
    values = np.array([[50, 100, 150, 200, 250]], dtype)
    assert scale_range(values, 100, 200).tolist() == [[0, 0, 128, 255, 255]]
    assert not scale_range(values, 100, 100).any()


def test_a_narrow_range_far_from_0_is_not_lost() -> None:
    assert scale_own_range(np.array([[2**31 - 3, 2**31 - 2, 2**31 - 1]], np.int64)).tolist() == [[0, 128, 255]]
    huge = np.array([[-3e38, 0, 3e38]], np.float32)
    assert scale_own_range(huge).tolist() == [[0, 128, 255]]


def test_what_is_not_finite_is_black() -> None:
    assert scale_own_range(np.array([[np.nan, np.inf, -np.inf, 1, 2]])).tolist() == [[0, 0, 0, 0, 255]]


def test_channels() -> None:
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    np.testing.assert_array_equal(with_channels(with_channels(grey, 3), 1), grey)
    primaries = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255]]], np.uint8)
    assert with_channels(primaries, 1).tolist() == [[76, 150, 29]]


def test_size_limit(tmp_path: Path) -> None:
    check_size(tmp_path, 1, PIXEL_LIMIT)
    with pytest.raises(ImageError, match="limit is 80 megapixels"):
        check_size(tmp_path, 1, PIXEL_LIMIT + 1)
