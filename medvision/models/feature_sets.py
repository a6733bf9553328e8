"""The features of an image by the names under which an experiment asks for them."""

from collections.abc import Sequence
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from medvision.models.edge_features import EDGE_NAMES, edge_features
from medvision.models.embedding import Embedder
from medvision.models.texture_features import HOG_NAMES, INTENSITY_NAMES, hog_features, intensity_features

FeatureKind = Literal["edges", "hog", "intensity", "embedding"]
NAMES: dict[str, tuple[str, ...]] = {"edges": EDGE_NAMES, "hog": HOG_NAMES, "intensity": INTENSITY_NAMES}


class FeatureSet(nn.Module):
    """What an image is described by: measurements with names, the features of a frozen network, or both.

    Args:
        kinds: which, in this order; `embedding` comes last whatever its place.
        embedder: the frozen network, where `embedding` is among them.
        bright: grey value above which a pixel is bright for `edges`.

    Attributes:
        measured: names of the measurements, the first columns of the features.
    """

    def __init__(self, kinds: Sequence[FeatureKind], embedder: Embedder | None, bright: int) -> None:
        super().__init__()
        assert ("embedding" in kinds) == (embedder is not None), "an embedder goes with the kind embedding"
        self.kinds = [kind for kind in kinds if kind != "embedding"]
        self.bright, self.embedder = bright, embedder
        self.measured = [name for kind in self.kinds for name in NAMES[kind]]

    def forward(self, images: Tensor) -> Tensor:
        """All features of images.

        Args:
            images: (B, C, S, S) uint8.

        Returns:
            (B, F) float32, on the device of the images.
        """
        parts = [self.measure(images).to(images.device)] if self.measured else []
        return torch.cat([*parts, *([] if self.embedder is None else [self.embedder(images)])], dim=1)

    def measure(self, images: Tensor) -> Tensor:
        """The measurements of images.

        Args:
            images: (B, C, S, S) uint8; of three channels the luminance is measured.

        Returns:
            (B, M) float32 in the order of `measured`, on the CPU.
        """
        rows = [[self._measure(kind, grey) for kind in self.kinds] for grey in map(_grey, images.cpu().numpy())]
        return torch.from_numpy(np.array([np.concatenate(row) for row in rows], dtype=np.float32))

    def _measure(self, kind: str, grey: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
        if kind == "edges":
            return edge_features(grey, self.bright)
        return hog_features(grey) if kind == "hog" else intensity_features(grey)


def _grey(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """(H, W) from (C, H, W)."""
    if len(image) == 1:
        return np.ascontiguousarray(image[0])
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(image.transpose(1, 2, 0)), cv2.COLOR_RGB2GRAY), dtype=np.uint8)
