from itertools import pairwise

import pytest
import torch
from torch import nn

from medvision.models.window_places import window_starts, window_weights
from medvision.models.windows import sliding_window


def images(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.5, 0.9])
@pytest.mark.parametrize("shape", [(64, 64), (65, 47), (17, 130), (32, 32), (9, 11)])
def test_every_pixel_is_covered_and_a_constant_stays(shape, overlap):
    seen = []

    def predict(windows):
        seen.append(windows.shape)
        return torch.tensor([0.25, 0.75]).view(1, 2, 1, 1).expand(len(windows), 2, 32, 32)

    maps = sliding_window(predict, images(3, 1, *shape), 32, overlap, batch_size=4)
    assert maps.shape == (3, 2, *shape)
    assert torch.allclose(maps, torch.tensor([0.25, 0.75]).view(1, 2, 1, 1), atol=1e-6)
    assert all(len(found) <= 4 and found[1:] == (1, 32, 32) for found in seen)


@pytest.mark.parametrize("shape", [(64, 64), (75, 41), (20, 100)])
def test_a_network_that_looks_at_single_pixels_sees_no_windows(shape):
    network = nn.Conv2d(3, 4, 1)
    whole = images(2, 3, *shape)
    with torch.no_grad():
        assert torch.allclose(sliding_window(network, whole, 32), network(whole), atol=1e-6)


def test_a_convolutional_network_gives_what_it_gives_for_the_whole_image():
    """Within `reach` pixels of its border a window lacks context, and zeros stand in for it. All others are exact.

    Those few count so little against the window that has them near its centre that they are off by less than 0.001.
    """
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 2, 3, padding=1), nn.Softmax(dim=1))
    size, reach, shape = 32, 2, (83, 100)
    whole = images(1, 1, *shape)
    with torch.no_grad():
        found, expected = sliding_window(network, whole, size, 0.5), network(whole)
    cut = [torch.zeros(length, dtype=torch.bool) for length in shape]
    for flags, length in zip(cut, shape, strict=True):
        for start in window_starts(length, size, 0.5):
            if start > 0:
                flags[start : start + reach] = True
            if start + size < length:
                flags[start + size - reach : start + size] = True
    exact = ~(cut[0][:, None] | cut[1][None])
    difference = (found - expected).abs().amax(dim=(0, 1))
    assert exact.float().mean() > 0.3
    assert difference[exact].max() < 1e-6
    assert 1e-6 < difference.max() < 0.001


@pytest.mark.parametrize(("shape", "overlap"), [((96, 64), 0.5), ((80, 104), 0.75), ((64, 32), 0.0)])
def test_against_monai(shape, overlap):
    inferers = pytest.importorskip("monai.inferers")
    ramp = torch.linspace(-1, 1, 32 * 32).view(1, 1, 32, 32)

    def predict(windows):
        return torch.cat([windows * ramp, windows + ramp], dim=1)

    whole = images(2, 1, *shape)
    expected = inferers.sliding_window_inference(
        whole, (32, 32), 4, predict, overlap=overlap, roi_weight_map=torch.from_numpy(window_weights(32))
    )
    assert torch.allclose(sliding_window(predict, whole, 32, overlap), expected, atol=1e-5)


def test_a_small_image_is_padded_with_zeros():
    seen = []

    def predict(windows):
        seen.append(windows)
        return windows

    small = images(2, 1, 20, 40).mul(255).byte()
    maps = sliding_window(predict, small, 32)
    assert maps.dtype == torch.float32
    assert torch.allclose(maps, small.float(), atol=1e-3)
    assert all(windows.dtype == torch.uint8 and (windows[:, :, 20:] == 0).all() for windows in seen)


def test_the_size_of_batches_changes_nothing():
    ramp = torch.linspace(0, 1, 16 * 16).view(1, 1, 16, 16)
    whole = images(3, 1, 40, 50)
    one, many = (sliding_window(lambda w: w * ramp, whole, 16, batch_size=n) for n in (1, 7))
    assert torch.equal(one, many)


def test_maps_in_half_precision_are_blended_in_single():
    maps = sliding_window(lambda windows: windows.bfloat16(), torch.full((1, 1, 50, 50), 0.5), 16)
    assert maps.dtype == torch.float32
    assert torch.allclose(maps, torch.tensor(0.5), atol=1e-6)


def test_windows_overlap_at_least_as_asked():
    for length in range(32, 200, 7):
        starts = window_starts(length, 32, 0.5)
        assert starts[0] == 0
        assert starts[-1] == length - 32
        assert all(0 < after - before <= 16 for before, after in pairwise(starts))
