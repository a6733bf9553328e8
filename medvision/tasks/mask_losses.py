"""Losses of segmentation, from logits: each is a mean over images, so that the loss of a set is that of its images."""

from typing import Literal

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

MaskLossName = Literal["cross_entropy_dice", "cross_entropy", "dice", "focal", "tversky", "boundary"]

# Added above and below in the ratio of an overlap, in pixels; it decides nothing but keeps the ratio defined.
SMOOTHING = 1.0
# The same for an image without the class, as a share of its pixels.
ABSENT_SHARE = 0.1
# Pixels at most this far from another class lie at a border, and count so many times.
BORDER_PIXELS = 2
BORDER_WEIGHT = 5.0


class MaskLoss(nn.Module):
    """Cross-entropy, an overlap of regions, or the sum of both, for one class out of several at each pixel.

    - `cross_entropy`: mean over the pixels of an image.
    - `dice`: one minus the soft Dice of probabilities (Milletari et al., V-Net, 3DV 2016, without the squares), of each
      image and foreground class, averaged over the foreground.
    - `cross_entropy_dice`: the sum of these two.
    - `focal`: each pixel of the cross-entropy counts (1 - p)^gamma, where p is the probability of its true class (Lin
      et al., ICCV 2017).
    - `tversky`: cross-entropy plus one minus the Tversky index, which is Dice with a price of `beta` for a missed pixel
      and of `1 - beta` for a false one (Salehi et al., MLMI 2017); `beta` 0.5 is Dice.
    - `boundary`: `cross_entropy_dice` in which a pixel within two pixels of another class counts five times in the
      cross-entropy. U-Net's weights of borders (Ronneberger et al., MICCAI 2015) in a form that needs no distance map.

    An image that does not show a class has nothing to overlap with. With a smoothing of one pixel its Dice loss is
    nearly 1 for any prediction but an empty one, and the gradient nearly 0 (Tilborghs et al., MICCAI 2022). There the
    smoothing is a tenth of the image: the loss grows with the share of false pixels, is 0 without any, and always has a
    slope.

    The weights of classes multiply the loss of their pixels, which is then divided by the number of pixels: weights
    whose mean over the training pixels is 1, as balanced ones are, leave the scale as it is. Overlaps do not depend on
    the size of a region and take no weights.

    Args:
        name: of the loss.
        weights: float32 (K,), the weight of each class, the background first.
        gamma: of the focal loss.
        beta: of the Tversky index, from 0 to 1.
    """

    def __init__(self, name: MaskLossName, weights: Tensor | None, gamma: float, beta: float) -> None:
        super().__init__()
        self.weights: Tensor | None
        self.name: MaskLossName = name
        self.gamma = gamma
        self.beta = beta if name == "tversky" else 0.5
        self.register_buffer("weights", weights, persistent=False)

    def forward(self, logits: Tensor, mask: Tensor) -> Tensor:
        """The loss of a batch, a scalar, in float32 whatever the precision around it.

        Args:
            logits: (B, K, H, W).
            mask: (B, H, W) uint8 class numbers; pixels of `IGNORE` count nowhere.
        """
        with torch.autocast(logits.device.type, enabled=False):
            return self.image_losses(logits.float(), mask).mean()

    def image_losses(self, logits: Tensor, mask: Tensor) -> Tensor:
        """The loss of each image, float32 (B,); 0 for an image without a pixel that counts.

        Args:
            logits: float32 (B, K, H, W).
            mask: (B, H, W) uint8.
        """
        classes = torch.arange(logits.shape[1], device=mask.device, dtype=mask.dtype)
        truth = (mask[:, None] == classes.view(1, -1, 1, 1)).float()
        logs = logits.log_softmax(dim=1)
        losses = logits.new_zeros(len(logits))
        if self.name != "dice":
            losses = losses + self._pixels(logs, truth)
        if self.name not in ("cross_entropy", "focal"):
            losses = losses + self._regions(logs.exp() * truth.sum(dim=1, keepdim=True), truth)
        return losses

    def _pixels(self, logs: Tensor, truth: Tensor) -> Tensor:
        # Products with ones and zeros, for torch's own loss of maps has no deterministic form on CUDA.
        losses = -(logs * truth).sum(dim=1)
        counts = truth.sum(dim=1)
        if self.name == "focal":
            # The slope of x^gamma at 0 is infinite for gamma < 1, and a certain pixel would make the gradient NaN.
            unsure = -torch.expm1(-losses)
            losses = losses * unsure.clamp_min(torch.finfo(unsure.dtype).eps) ** self.gamma
        elif self.name == "boundary":
            counts = counts * (1 + (BORDER_WEIGHT - 1) * near_borders(truth))
            losses = losses * counts
        if self.weights is not None:
            losses = losses * (truth * self.weights.view(1, -1, 1, 1)).sum(dim=1)
        return losses.sum(dim=(1, 2)) / counts.sum(dim=(1, 2)).clamp_min(1)

    def _regions(self, probabilities: Tensor, truth: Tensor) -> Tensor:
        pixels = truth.sum(dim=(1, 2, 3)).clamp_min(1)
        hit = (probabilities * truth).sum(dim=(2, 3))[:, 1:]
        said, true = probabilities.sum(dim=(2, 3))[:, 1:], truth.sum(dim=(2, 3))[:, 1:]
        smoothing = torch.where(true > 0, SMOOTHING, ABSENT_SHARE * pixels[:, None])
        priced = hit + self.beta * (true - hit) + (1 - self.beta) * (said - hit)
        # Half the smoothing, for Dice is written with twice the overlap.
        return (1 - (hit + smoothing / 2) / (priced + smoothing / 2)).mean(dim=1)


def near_borders(truth: Tensor) -> Tensor:
    """Pixels with another class within `BORDER_PIXELS`, along rows, columns or diagonals.

    Args:
        truth: (B, K, H, W) float32, 1 for the class of a pixel; all 0 for a pixel that is ignored, which borders on
            nothing.

    Returns:
        (B, H, W) float32 of zeros and ones.
    """
    reached = F.max_pool2d(truth, 2 * BORDER_PIXELS + 1, stride=1, padding=BORDER_PIXELS)
    return ((reached.sum(dim=1) > 1) & (truth.sum(dim=1) > 0)).float()


def create_mask_loss(
    name: MaskLossName,
    *,
    class_weights: Tensor | None,
    focal_gamma: float = 2.0,
    tversky_beta: float = 0.7,
) -> MaskLoss:
    """The loss that the experiment names; see `MaskLoss`."""
    return MaskLoss(name, class_weights, focal_gamma, tversky_beta)
