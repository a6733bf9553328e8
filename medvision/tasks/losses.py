"""Losses of classification, from logits."""

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from medvision.errors import DataError


class ClassificationLoss(nn.Module):
    """Cross-entropy or focal loss, for one class of several or for several at once.

    Focal loss: each case counts (1 - p)^gamma, where p is the probability of its true class (Lin et al., ICCV 2017);
    gamma 0 is cross-entropy.

    Args:
        gamma: None for cross-entropy.
        multilabel: several classes at once.
        weights: float32 (K,): the weight of each class; for several at once the weight of its positive cases.
        smoothing: share of the target that is spread over all classes, or over both answers.
    """

    def __init__(self, gamma: float | None, multilabel: bool, weights: Tensor | None, smoothing: float) -> None:
        super().__init__()
        self.weights: Tensor | None
        self.gamma, self.multilabel, self.smoothing = gamma, multilabel, smoothing
        self.register_buffer("weights", weights, persistent=False)

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """The loss of a batch, a scalar.

        Args:
            logits: (B, K).
            target: int64 (B,) class numbers, or float32 (B, K) of zeros and ones for several labels at once.
        """
        logits = logits.float()
        # A precision such as `bf16-true` turns every buffer, too.
        weights = None if self.weights is None else self.weights.float()
        return self._several(logits, target.float(), weights) if self.multilabel else self._one(logits, target, weights)

    def _one(self, logits: Tensor, target: Tensor, weights: Tensor | None) -> Tensor:
        if self.gamma is None:
            return F.cross_entropy(logits, target, weights, label_smoothing=self.smoothing)
        losses = F.cross_entropy(logits, target, weights, label_smoothing=self.smoothing, reduction="none")
        truth = logits.softmax(dim=1).gather(1, target[:, None]).squeeze(1)
        losses = _focus(truth, self.gamma) * losses
        # Torch's weighted mean divides by the weights of the batch; so does this one.
        return losses.mean() if weights is None else losses.sum() / weights[target].sum()

    def _several(self, logits: Tensor, target: Tensor, weights: Tensor | None) -> Tensor:
        smoothed = target * (1 - self.smoothing) + self.smoothing / 2
        losses = F.binary_cross_entropy_with_logits(logits, smoothed, pos_weight=weights, reduction="none")
        if self.gamma is not None:
            probability = logits.sigmoid()
            losses = _focus(torch.where(target > 0.5, probability, 1 - probability), self.gamma) * losses
        return losses.mean()


def _focus(truth: Tensor, gamma: float) -> Tensor:
    # The slope of x^gamma at 0 is infinite for gamma < 1, and a certain case would make the gradient NaN.
    return (1 - truth).clamp_min(torch.finfo(truth.dtype).eps) ** gamma


def create_loss(
    name: Literal["cross_entropy", "focal"],
    *,
    multilabel: bool,
    class_weights: Tensor | None,
    label_smoothing: float,
    focal_gamma: float = 2.0,
) -> ClassificationLoss:
    """The loss that the experiment names; see `ClassificationLoss`."""
    return ClassificationLoss(focal_gamma if name == "focal" else None, multilabel, class_weights, label_smoothing)


def balanced_weights(counts: Sequence[int], images: int | None = None) -> list[float]:
    """Weights under which every class counts the same: n / (K · n_k), whose mean over the images is 1.

    Args:
        counts: training images of each class.
        images: number of training images where they show several classes at once; the weights are then those of the
            positive cases, (n - n_k) / n_k.

    Raises:
        DataError: a class that no training image shows, or, of several at once, that every one shows.
    """
    if min(counts) == 0 or max(counts) == images:
        total = "" if images is None else f" of {images}"
        raise DataError(
            f"model.class_weights: balanced is not possible, training images by class are {list(counts)}{total}; "
            "leave the class out, or write `class_weights: none`"
        )
    if images is not None:
        return [(images - count) / count for count in counts]
    return [sum(counts) / (len(counts) * count) for count in counts]
