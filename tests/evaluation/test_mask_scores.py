import math

import numpy as np
import pytest
import torch
from monai.metrics import compute_average_surface_distance, compute_dice, compute_hausdorff_distance, compute_iou
from scipy.ndimage import gaussian_filter

from medvision.data.masks import IGNORE
from medvision.errors import DataError
from medvision.evaluation.mask_scores import MASK_METRICS, score_mask, score_names

CLASSES = ["rest", "fat", "muscle"]
NAN, INF = math.nan, math.inf


def drawn(*rows):
    """Digits are class numbers, `x` is to be ignored."""
    return np.array([[IGNORE if letter == "x" else int(letter) for letter in row] for row in rows], np.uint8)


def scores(truth, predicted, name="fat", **settings):
    found = score_mask(truth, predicted, settings.pop("classes", CLASSES), **settings)
    return {metric: found[f"{metric}_{name}"] for metric in MASK_METRICS}


def matches(expected):
    return pytest.approx(dict(zip(MASK_METRICS, expected, strict=True)), nan_ok=True)


def test_columns_stand_class_by_class_without_the_background():
    assert MASK_METRICS == (
        "dice", "iou", "pixel_sensitivity", "pixel_precision", "hd95", "assd", "area", "area_true"
    )  # fmt: skip
    names = score_names(CLASSES)
    assert names == [f"{metric}_{name}" for name in ("fat", "muscle") for metric in MASK_METRICS]
    assert list(score_mask(drawn("012"), drawn("012"), CLASSES)) == names


def test_overlaps_distances_and_areas_by_hand():
    truth = drawn("000000", "011100", "011100", "000000")
    found = drawn("000000", "001111", "001111", "000000")
    # 4 hits of 6 true and 8 predicted pixels. One column of the truth lies 1 px off; two of the prediction 1 and 2 px.
    there, back = [1, 1, 0, 0, 0, 0], [0, 0, 0, 0, 1, 1, 2, 2]
    expected = [8 / 14, 4 / 10, 4 / 6, 4 / 8, np.percentile(back, 95), (sum(there) + sum(back)) / 14, 8, 6]
    assert scores(truth, found) == matches(expected)


def test_spacing_scales_distances_and_areas_only():
    truth = drawn("000000", "011100", "011100", "000000")
    found = drawn("000000", "001111", "001111", "000000")
    plain, spaced = scores(truth, found), scores(truth, found, spacing=(3, 0.5))
    # Nearest pixels lie along the rows, 0.5 mm apart; a pixel has 1.5 mm².
    factors = {"hd95": 0.5, "assd": 0.5, "area": 1.5, "area_true": 1.5}
    assert spaced == pytest.approx({name: value * factors.get(name, 1) for name, value in plain.items()})


def test_a_perfect_mask():
    truth = drawn("0110", "0220", "0220")
    assert scores(truth, truth) == matches([1, 1, 1, 1, 0, 0, 2, 2])
    assert scores(truth, truth, "muscle") == matches([1, 1, 1, 1, 0, 0, 4, 4])


def test_a_class_that_neither_mask_shows_is_not_counted():
    assert scores(drawn("022"), drawn("220")) == matches([NAN] * 6 + [0, 0])
    assert scores(drawn("000"), drawn("000"), classes=["rest", "fat"]) == matches([NAN] * 6 + [0, 0])


def test_a_class_that_is_predicted_only():
    assert scores(drawn("0000"), drawn("0110"), spacing=(2, 1)) == matches([0, 0, NAN, 0, INF, INF, 4, 0])


def test_a_class_that_is_true_only():
    assert scores(drawn("0110"), drawn("0220"), spacing=(2, 1)) == matches([0, 0, 0, NAN, INF, INF, 0, 4])


def test_masks_that_do_not_touch():
    assert scores(drawn("1000"), drawn("0001")) == matches([0, 0, 0, 0, 3, 3, 1, 1])


def test_ignored_pixels_are_in_neither_mask():
    truth, found = drawn("011xxx", "011xxx"), drawn("111111", "022112")
    # Without the three last columns: 2 hits of 4 true and 3 predicted pixels; of muscle 2 predicted and none true.
    assert scores(truth, found) == scores(truth[:, :3], found[:, :3])
    assert scores(truth, found)["dice"] == pytest.approx(4 / 7)
    assert scores(truth, found, "muscle") == matches([0, 0, NAN, 0, INF, INF, 2, 0])
    everything = np.full((2, 6), IGNORE, np.uint8)
    assert scores(everything, found) == matches([NAN] * 6 + [0, 0])


def test_masks_that_cannot_be_compared():
    mask = drawn("012")
    with pytest.raises(ValueError, match="one size is needed"):
        score_mask(mask, mask.T, CLASSES)
    with pytest.raises(ValueError, match="spacing"):
        score_mask(mask, mask, CLASSES, (1, 0))
    for truth, found in ((drawn("003"), drawn("000")), (drawn("000"), drawn("003")), (drawn("000"), drawn("00x"))):
        with pytest.raises(ValueError, match="belongs to no class"):
            score_mask(truth, found, CLASSES)


def test_classes_that_share_a_column_are_refused():
    with pytest.raises(DataError, match="area_true_fat"):
        score_names(["rest", "fat", "true_fat"])


def blob(seed, where=0.55):
    noise = gaussian_filter(np.random.default_rng(seed).random((70, 90)), 6)
    return noise > np.quantile(noise, where)


# MONAI 1.6 calls one of its functions with an argument that it has deprecated itself.
@pytest.mark.filterwarnings("ignore:monai.metrics.utils get_mask_edges:FutureWarning")
@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("spacing", [(1.0, 1.0), (0.4, 0.15)])
def test_scores_are_those_of_monai(seed, spacing):
    truth, found = np.zeros((2, 70, 90), np.uint8)
    for mask, first in ((truth, 2 * seed), (found, 2 * seed + 1)):
        mask[blob(first)] = 1
        mask[blob(first + 100, 0.9)] = 2
    true, said = (torch.from_numpy(np.stack([mask == k for k in range(3)])[None]).float() for mask in (truth, found))
    expected = {
        "dice": compute_dice(said, true, include_background=False),
        "iou": compute_iou(said, true, include_background=False),
        "hd95": compute_hausdorff_distance(said, true, percentile=95, spacing=spacing),
        "assd": compute_average_surface_distance(said, true, symmetric=True, spacing=spacing),
    }
    ours = score_mask(truth, found, CLASSES, spacing)
    for metric, values in expected.items():
        assert [ours[f"{metric}_{name}"] for name in CLASSES[1:]] == pytest.approx(values[0].tolist(), rel=1e-5), metric
    assert ours["hd95_fat"] > ours["assd_fat"] > 0


def test_random_blobs_reach_every_border():
    shown = np.any([blob(seed) for seed in range(12)], axis=0)
    assert all(edge.any() for edge in (shown[0], shown[-1], shown[:, 0], shown[:, -1]))
