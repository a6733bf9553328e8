import math

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torchmetrics.functional.segmentation import dice_score, mean_iou

from medvision.data.masks import IGNORE
from medvision.tasks.running_masks import MASK_METRIC_NAMES, mask_counts, mask_metrics


def logits_of(mask, classes):
    return 5.0 * F.one_hot(mask.long(), classes).movedim(-1, 1)


def metrics(predicted, mask, classes=2):
    return mask_metrics(mask_counts(logits_of(predicted, classes), mask))


def masks(*rows):
    return torch.tensor(rows, dtype=torch.uint8)[:, None]


def test_counts_by_hand():
    mask, predicted = masks([0, 1, 1, 2, IGNORE, IGNORE]), masks([0, 1, 2, 2, 1, 2])
    counts = mask_counts(logits_of(predicted, 3), mask)
    assert counts.dtype == torch.int64
    assert counts.tolist() == [[[1, 1, 1], [1, 1, 2], [1, 2, 1]]]


def test_metrics_by_hand():
    # Class 1: Dice 2/3 and 1; class 2: Dice 2/3, and not to be seen in the second image.
    mask, predicted = masks([0, 1, 1, 2], [0, 0, 0, 1]), masks([0, 1, 2, 2], [0, 0, 0, 1])
    assert metrics(predicted, mask, 3) == pytest.approx(
        {
            "dice": ((2 / 3 + 1) / 2 + 2 / 3) / 2,
            "iou": ((1 / 2 + 1) / 2 + 1 / 2) / 2,
            "sensitivity": ((1 / 2 + 1) / 2 + 1) / 2,
            "precision": ((1 + 1) / 2 + 1 / 2) / 2,
        }
    )


@pytest.mark.parametrize(
    ("mask", "predicted", "expected"),
    [
        ([0, 0, 0], [0, 0, 0], (math.nan, math.nan, math.nan, math.nan)),
        ([0, 0, 0], [0, 1, 0], (0, 0, math.nan, 0)),
        ([0, 1, 0], [0, 0, 0], (0, 0, 0, math.nan)),
        ([0, 1, 0], [0, 1, 0], (1, 1, 1, 1)),
        ([IGNORE] * 3, [0, 1, 0], (math.nan, math.nan, math.nan, math.nan)),
    ],
)
def test_empty_masks(mask, predicted, expected):
    found = metrics(masks(predicted), masks(mask))
    assert tuple(found) == MASK_METRIC_NAMES
    assert tuple(found.values()) == pytest.approx(expected, nan_ok=True)


def test_what_is_not_counted_is_left_out_of_the_mean():
    mask, predicted = masks([0, 0, 0, 0], [0, 0, 1, 1]), masks([0, 0, 0, 0], [0, 0, 0, 1])
    assert metrics(predicted, mask)["dice"] == pytest.approx(2 / 3)


def test_no_image_gives_nan():
    assert all(math.isnan(value) for value in mask_metrics(torch.zeros(0, 3, 3, dtype=torch.int64)).values())


def test_against_torchmetrics():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(5, 4, 16, 12, generator=generator)
    mask = torch.randint(4, (5, 16, 12), generator=generator, dtype=torch.uint8)
    found = mask_metrics(mask_counts(logits, mask))
    predicted, truth = logits.argmax(1), mask.long()
    dice = dice_score(predicted, truth, 4, include_background=False, average="none", input_format="index")
    iou = mean_iou(predicted, truth, 4, include_background=False, per_class=True, input_format="index")
    assert found["dice"] == pytest.approx(dice.mean().item(), rel=1e-5)
    assert found["iou"] == pytest.approx(iou.mean().item(), rel=1e-5)


def test_rows_of_batches_are_those_of_the_whole():
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(5, 3, 8, 8, generator=generator).half()
    mask = torch.randint(3, (5, 8, 8), generator=generator, dtype=torch.uint8)
    parts = torch.cat([mask_counts(logits[:2], mask[:2]), mask_counts(logits[2:], mask[2:])])
    assert torch.equal(parts, mask_counts(logits, mask))
