"""A network that can be worked out by hand, and the model around it."""

from dataclasses import replace

import numpy as np

from medvision.answering.inputs import Preparation
from medvision.answering.model import Member, Model
from medvision.errors import ModelError
from medvision.evaluation.operating_point import UNCHANGED


class Brightness:
    """Says `bright` by the mean grey value, masks what is bright, and sees mean and deviation.

    Args:
        says: which of `probabilities`, `maps` and `features`.
        gain: that the grey values are multiplied with.
        blind: whether it shows no evidence.
    """

    def __init__(self, *says, gain=1.0, blind=False):
        self.says, self.gain, self.blind, self.batches = says, gain, blind, []

    def ask(self, pixels):
        assert pixels.dtype == np.uint8
        assert pixels.ndim == 4
        self.batches.append(len(pixels))
        grey = (self.gain * pixels.mean(axis=1) / 255).clip(0, 1).astype(np.float32)
        mean = grey.mean(axis=(1, 2))
        said = {
            "probabilities": np.stack([1 - mean, mean], axis=1),
            "maps": np.stack([1 - grey, grey], axis=1),
            "features": np.stack([mean, grey.std(axis=(1, 2))], axis=1),
        }
        return {name: values for name, values in said.items() if name in self.says}

    def evidence(self, pixels, classes):
        if self.blind:
            raise ModelError("no maps")
        maps = pixels.mean(axis=1).astype(np.float32) / 255
        return maps / max(maps.max(), 1e-9), [not plane.any() for plane in maps]


LABELS = ("dark", "bright")
MASKS = ("background", "light")


def model(*says, members=None, **changes):
    """A model that answers for images as they are, 4 at a time."""
    says = says or ("probabilities",)
    members = members or (Member(Brightness(*says), UNCHANGED),)
    made = Model(
        name="fake/run",
        identity="1234",
        members=tuple(members),
        classes=LABELS if "probabilities" in says else (),
        multilabel=False,
        mask_classes=MASKS if "maps" in says else (),
        preparation=Preparation(8, "letterbox", 1),
        batch_size=4,
        patients=20,
        known=frozenset(),
    )
    return replace(made, **changes)
