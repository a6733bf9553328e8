"""A classical classifier in the place of a network: features, and an estimator that answers from them."""

import numpy as np
import torch
from torch import Tensor, nn

from medvision.models.estimators import Estimator
from medvision.models.feature_sets import FeatureSet

# Between a probability of 0 and the logit of a loss that stays finite; float32 tells 1 - 1e-6 from 1.
SMALLEST = 1e-6


class BaselineNetwork(nn.Module):
    """From images to logits without weights of its own; the fitted estimator is part of the state dict.

    Args:
        features: of an image.
        estimator: from features to probabilities.
    """

    def __init__(self, features: FeatureSet, estimator: Estimator) -> None:
        super().__init__()
        self.features, self.estimator = features, estimator

    def forward(self, images: Tensor) -> Tensor:
        """Logits (B, K) float32 of images (B, C, S, S) uint8."""
        return self.to_logits(self.features(images))

    def probabilities(self, features: Tensor) -> Tensor:
        """Probabilities (B, K) float32 of features (B, F), on their device."""
        found = self.estimator.probabilities(features.cpu().numpy())
        return torch.from_numpy(found.astype(np.float32)).to(features.device)

    def to_logits(self, features: Tensor) -> Tensor:
        """Logits (B, K) float32 of features (B, F): log p, or log p / (1 - p) where classes are asked one by one."""
        probabilities = self.probabilities(features).clamp(SMALLEST, 1 - SMALLEST)
        return probabilities.logit() if self.estimator.multilabel else probabilities.log()

    def get_extra_state(self) -> Tensor:
        """The fitted estimator as uint8 (n,), empty before it is fitted; see `Estimator.to_bytes`."""
        return torch.from_numpy(np.frombuffer(self.estimator.to_bytes(), dtype=np.uint8).copy())

    def set_extra_state(self, state: Tensor) -> None:
        """Take up the estimator that `get_extra_state` gave."""
        self.estimator.load_bytes(state.cpu().numpy().tobytes())
