import math

import numpy as np
import pytest
import segmentation_models_pytorch as smp
import torch
import torch.nn.functional as F  # noqa: N812
from scipy import ndimage
from torchvision.ops import sigmoid_focal_loss

from medvision.data.masks import IGNORE
from medvision.tasks.mask_losses import create_mask_loss, near_borders

NAMES = ("cross_entropy_dice", "cross_entropy", "dice", "focal", "tversky", "boundary")


def loss(name, logits, mask, weights=None, **more):
    return create_mask_loss(name, class_weights=weights, **more)(logits, mask)


@pytest.fixture
def batch():
    """Four images of three classes; every class in every image, some pixels that nobody scores."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(4, 3, 12, 10, generator=generator)
    mask = torch.randint(3, (4, 12, 10), generator=generator, dtype=torch.uint8)
    mask[1, 2:5] = IGNORE
    return logits, mask


def certain(mask, classes=2, logit=12.0):
    """Logits of a prediction that is sure of a mask."""
    return logit * F.one_hot(mask.long(), classes).movedim(-1, 1).float()


def test_by_hand():
    # Two pixels, foreground probability 0.8 and 0.4; the first is foreground.
    p = torch.tensor([0.8, 0.4])
    logits = torch.stack([(1 - p).log(), p.log()])[None, :, None]
    mask = torch.tensor([[[1, 0]]], dtype=torch.uint8)
    entropy = -(math.log(0.8) + math.log(0.6)) / 2
    dice = 1 - (2 * 0.8 + 1) / (1.2 + 1 + 1)
    # Hit 0.8, missed 0.2, false 0.4; half a pixel of smoothing.
    index = (0.8 + 0.5) / (0.8 + 0.7 * 0.2 + 0.3 * 0.4 + 0.5)
    focal = -(0.2**2 * math.log(0.8) + 0.4**2 * math.log(0.6)) / 2
    expected = {
        "cross_entropy": entropy,
        "dice": dice,
        "cross_entropy_dice": entropy + dice,
        "focal": focal,
        "tversky": entropy + 1 - index,
        "boundary": entropy + dice,  # both pixels lie at the border
    }
    assert {name: loss(name, logits, mask).item() for name in NAMES} == pytest.approx(expected, rel=1e-5)
    weighted = -(3 * math.log(0.8) + 0.5 * math.log(0.6)) / 2
    weights = torch.tensor([0.5, 3.0])
    assert loss("cross_entropy", logits, mask, weights).item() == pytest.approx(weighted, rel=1e-5)
    assert loss("cross_entropy_dice", logits, mask, weights).item() == pytest.approx(weighted + dice, rel=1e-5)


def test_cross_entropy_is_torchs(batch):
    logits, mask = batch
    images = [F.cross_entropy(a[None], b[None].long(), ignore_index=IGNORE) for a, b in zip(logits, mask, strict=True)]
    assert loss("cross_entropy", logits, mask).item() == pytest.approx(torch.stack(images).mean().item(), rel=1e-5)
    assert loss("focal", logits, mask, focal_gamma=0.0).item() == pytest.approx(
        torch.stack(images).mean().item(), rel=1e-5
    )


def test_balanced_weights_give_torchs_weighted_mean(batch):
    logits, mask = batch[0], batch[1].clamp_max(2)
    counts = torch.bincount(mask.flatten().long(), minlength=3)
    weights = counts.sum() / (3 * counts)
    expected = F.cross_entropy(logits, mask.long(), weights)
    assert loss("cross_entropy", logits, mask, weights).item() == pytest.approx(expected.item(), rel=1e-5)


def test_two_classes_are_binary_cross_entropy_of_the_difference(batch):
    logits, mask = batch[0][:, :2], batch[1].clamp_max(1)
    difference, target = logits[:, 1] - logits[:, 0], mask.float()
    expected = F.binary_cross_entropy_with_logits(difference, target)
    assert loss("cross_entropy", logits, mask).item() == pytest.approx(expected.item(), rel=1e-5)
    focal = sigmoid_focal_loss(difference, target, alpha=-1, gamma=1.5, reduction="mean")
    assert loss("focal", logits, mask, focal_gamma=1.5).item() == pytest.approx(focal.item(), rel=1e-5)


def test_overlaps_are_those_of_smp(batch):
    """Image by image, for smp joins the images of a batch."""

    def by_image(reference, masks):
        return torch.stack([reference(a[None], b[None]) for a, b in zip(batch[0], masks, strict=True)]).mean().item()

    mask = batch[1].long()
    plain, priced = (
        smp.losses.TverskyLoss("multiclass", [1, 2], smooth=0.5, ignore_index=IGNORE, alpha=1 - beta, beta=beta)
        for beta in (0.5, 0.8)
    )
    assert loss("dice", *batch).item() == pytest.approx(by_image(plain, mask), rel=1e-5)
    index = (loss("tversky", *batch, tversky_beta=0.8) - loss("cross_entropy", *batch)).item()
    assert index == pytest.approx(by_image(priced, mask), rel=1e-5)


def test_dice_is_that_of_monai(batch):
    losses = pytest.importorskip("monai.losses")
    logits, mask = batch[0], batch[1].clamp_max(2)
    reference = losses.DiceLoss(
        include_background=False, to_onehot_y=True, softmax=True, smooth_nr=1.0, smooth_dr=1.0, reduction="mean"
    )
    expected = reference(logits, mask[:, None].long())
    assert loss("dice", logits, mask).item() == pytest.approx(expected.item(), rel=1e-5)


def test_tversky_with_equal_prices_is_dice(batch):
    expected = loss("cross_entropy_dice", *batch).item()
    assert loss("tversky", *batch, tversky_beta=0.5).item() == pytest.approx(expected, rel=1e-6)


def test_a_missed_pixel_costs_more_than_a_false_one_in_the_tversky_loss():
    mask = torch.zeros(1, 10, 10, dtype=torch.uint8)
    mask[:, :4] = 1
    less, more = mask.clone(), mask.clone()
    less[:, 3], more[:, 4] = 0, 1
    missed, false = (loss("tversky", certain(said), mask, tversky_beta=0.9) for said in (less, more))
    assert missed > false + 0.05


def test_borders_are_found():
    generator = np.random.default_rng(0)
    mask = ndimage.zoom(generator.integers(0, 3, (1, 5, 6)), (1, 6, 6), order=0)
    mask[0, 20:, :7] = IGNORE
    truth = torch.from_numpy(np.stack([mask == k for k in range(3)], axis=1)).float()
    square = np.ones((5, 5), bool)
    reached = sum(ndimage.binary_dilation(mask[0] == k, square).astype(int) for k in range(3))
    expected = (reached > 1) & (mask[0] != IGNORE)
    assert 0 < expected.sum() < expected.size
    assert np.array_equal(near_borders(truth)[0].numpy().astype(bool), expected)


def test_pixels_at_a_border_count_five_times():
    mask = torch.zeros(1, 1, 10, dtype=torch.uint8)
    mask[..., 5:] = 1
    logits = torch.randn(1, 2, 1, 10, generator=torch.Generator().manual_seed(1))
    pixels = F.cross_entropy(logits, mask.long(), reduction="none")[0, 0]
    weights = torch.tensor([1.0, 1, 1, 5, 5, 5, 5, 1, 1, 1])
    expected = (pixels * weights).sum() / weights.sum() + loss("dice", logits, mask)
    assert loss("boundary", logits, mask).item() == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_a_perfect_prediction_costs_nothing_and_an_inverted_one_much(name, batch):
    mask = batch[1].clamp_max(2)
    assert loss(name, certain(mask, 3), mask).item() == pytest.approx(0, abs=0.01)
    assert loss(name, certain((mask + 1) % 3, 3), mask).item() > 0.9


@pytest.mark.parametrize("name", NAMES)
def test_an_empty_mask_pushes_the_foreground_down(name):
    mask = torch.zeros(2, 32, 32, dtype=torch.uint8)
    wrong = torch.ones_like(mask)
    assert loss(name, certain(mask), mask).item() == pytest.approx(0, abs=1e-3)
    assert loss(name, certain(wrong), mask).item() > 0.9
    logits = certain(wrong, logit=3.0).requires_grad_()
    before = loss(name, logits, mask)
    (slope,) = torch.autograd.grad(before, logits)
    # Seen from one image and pixel: the mean over both divides the slope by their number.
    assert (slope[:, 1] * mask.numel() > 1e-3).all()
    after = (logits - 100 * slope).detach()
    assert (after.softmax(1)[:, 1] < logits.softmax(1)[:, 1]).all()
    assert loss(name, after, mask) < before


@pytest.mark.parametrize(("p", "expected"), [(0.0, 0.0), (0.05, 1 / 3), (0.1, 0.5), (1.0, 10 / 11)])
def test_dice_of_an_absent_class_grows_with_the_share_of_false_pixels(p, expected):
    mask = torch.zeros(1, 20, 20, dtype=torch.uint8)
    logits = torch.tensor([1 - p, p]).clamp_min(1e-9).log().view(1, 2, 1, 1).expand(1, 2, 20, 20)
    assert loss("dice", logits, mask).item() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("weights", [None, torch.tensor([0.3, 1.0, 5.0])])
@pytest.mark.parametrize("name", NAMES)
def test_the_loss_of_a_set_is_the_mean_over_its_images(name, weights, batch):
    logits, mask = batch
    mask[0] = 0
    mask[3] = IGNORE
    images = torch.stack([loss(name, a[None], b[None], weights) for a, b in zip(logits, mask, strict=True)])
    assert loss(name, logits, mask, weights).item() == pytest.approx(images.mean().item(), rel=1e-5)
    assert images[3] == 0
    assert (images[:3] > 0).all()


@pytest.mark.parametrize("name", NAMES)
def test_ignored_pixels_count_nowhere(name, batch):
    logits, mask = batch
    mask[:, :, 6:] = IGNORE
    logits[1, :, 2:5] = 50.0
    logits.requires_grad_()
    found = loss(name, logits, mask)
    (slope,) = torch.autograd.grad(found, logits)
    assert (slope.movedim(1, -1)[mask == IGNORE] == 0).all()
    assert (slope.movedim(1, -1)[mask != IGNORE] != 0).any(dim=-1).all()
    assert found.item() == pytest.approx(loss(name, logits[..., :6], mask[..., :6]).item(), rel=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_an_image_without_a_known_pixel_has_no_gradient(name, batch):
    logits, mask = batch[0].requires_grad_(), torch.full_like(batch[1], IGNORE)
    found = loss(name, logits, mask)
    found.backward()
    assert found == 0
    assert (logits.grad == 0).all()


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
@pytest.mark.parametrize("name", NAMES)
def test_gradients_of_certain_pixels_are_finite(name, gamma):
    mask = torch.zeros(1, 4, 4, dtype=torch.uint8)
    logits = torch.tensor([200.0, -200.0]).view(1, 2, 1, 1).repeat(1, 1, 4, 4).requires_grad_()
    loss(name, logits, mask, focal_gamma=gamma).backward()
    assert torch.isfinite(logits.grad).all()


@pytest.mark.parametrize("name", NAMES)
def test_half_precision_is_computed_in_single(name, batch):
    logits, mask = batch
    # Sums of a large mask would stop growing at 256 in bfloat16, and be infinite in float16.
    logits, mask = logits.repeat(1, 1, 30, 30).bfloat16(), mask.repeat(1, 30, 30)
    expected = loss(name, logits.float(), mask)
    with torch.autocast("cpu", torch.bfloat16):
        found = loss(name, logits, mask)
    assert found.dtype == torch.float32
    assert found.item() == pytest.approx(expected.item(), rel=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_it_is_allowed_where_only_deterministic_operations_are(name, batch):
    logits = batch[0].requires_grad_()
    torch.use_deterministic_algorithms(True)
    try:
        loss(name, logits, batch[1], torch.ones(3)).backward()
    finally:
        torch.use_deterministic_algorithms(False)
    assert torch.isfinite(logits.grad).all()
