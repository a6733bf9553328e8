import math

import numpy as np
import pytest

from medvision.evaluation.surface import assd, edge_pixels, hd95, surface_distances


def drawn(*rows):
    return np.array([[letter == "#" for letter in row] for row in rows])


def edges(mask):
    shown = np.zeros_like(mask)
    shown[tuple(edge_pixels(mask).T)] = True
    return shown


@pytest.mark.parametrize(
    ("mask", "expected"),
    [
        (drawn(".....", ".###.", ".###.", ".###.", "....."), drawn(".....", ".###.", ".#.#.", ".###.", ".....")),
        # The border of the image is an edge.
        (drawn("####", "####", "####"), drawn("####", "#..#", "####")),
        (drawn("#....", ".....", "....#"), drawn("#....", ".....", "....#")),
        # Neighbours are four: a hole at a corner makes no edge.
        (
            drawn("#####", "#####", "##.##", "#####", "#####"),
            drawn("#####", "#.#.#", "##.##", "#.#.#", "#####"),
        ),
    ],
)
def test_the_edge_is_the_mask_without_its_erosion(mask, expected):
    assert (edges(mask) == expected).all()


def test_an_empty_mask_has_no_edge():
    assert edge_pixels(np.zeros((4, 6), bool)).shape == (0, 2)


def test_distances_run_between_the_centres_of_pixels():
    truth, predicted = np.zeros((2, 6, 6), bool)
    truth[1, 1] = predicted[4, 5] = True
    assert surface_distances(truth, predicted) == ([5], [5])
    # 3 rows of 2 mm and 4 columns of 0.5 mm.
    there, back = surface_distances(truth, predicted, (2, 0.5))
    assert there == back == pytest.approx([math.sqrt(40)])


def test_rows_and_columns_have_their_own_spacing():
    truth, predicted = np.zeros((2, 9, 9), bool)
    truth[2:6, 1] = predicted[2:6, 4] = True
    there, back = surface_distances(truth, predicted, (1, 0.5))
    assert (hd95(there, back), assd(there, back)) == (1.5, 1.5)
    there, back = surface_distances(truth.T, predicted.T, (1, 0.5))
    assert (hd95(there, back), assd(there, back)) == (3, 3)


def test_both_directions_count():
    truth, predicted = np.zeros((2, 3, 12), bool)
    truth[1, :10] = predicted[1, 0] = True
    there, back = surface_distances(truth, predicted)
    assert sorted(there) == list(range(10))
    assert back == [0]
    # Between the ninth and the tenth of 0, 1, ... 9; their sum 45 over 10 + 1 pixels.
    assert hd95(there, back) == hd95(back, there) == pytest.approx(8.55)
    assert assd(there, back) == assd(back, there) == pytest.approx(45 / 11)


def test_the_percentile_leaves_out_the_farthest():
    there = np.arange(21.0)
    assert hd95(there, np.zeros(3)) == 19
    assert assd(there, np.zeros(3)) == pytest.approx(210 / 24)


def test_equal_masks_have_no_distance():
    mask = drawn("..##.", ".####", "..##.")
    there, back = surface_distances(mask, mask, (0.3, 0.2))
    assert (hd95(there, back), assd(there, back)) == (0, 0)


def test_empty_masks():
    mask, empty = drawn(".#.", "###"), drawn("...", "...")
    for there, back in (surface_distances(mask, empty), surface_distances(empty, mask)):
        assert (hd95(there, back), assd(there, back)) == (math.inf, math.inf)
    there, back = surface_distances(empty, empty)
    assert math.isnan(hd95(there, back))
    assert math.isnan(assd(there, back))


@pytest.mark.parametrize("seed", range(5))
def test_distances_are_those_of_all_pairs(seed):
    random = np.random.default_rng(seed)
    truth, predicted = random.random((2, 30, 40)) < 0.2
    spacing = np.array([0.7, 0.25])
    true, found = np.argwhere(edges(truth)) * spacing, np.argwhere(edges(predicted)) * spacing
    pairs = np.sqrt(((true[:, None] - found[None]) ** 2).sum(axis=2))
    there, back = surface_distances(truth, predicted, tuple(spacing))
    assert np.allclose(there, pairs.min(axis=1), rtol=1e-12)
    assert np.allclose(back, pairs.min(axis=0), rtol=1e-12)
