"""What must be known of a trained network to ask it; how it is computed is its own affair."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from medvision.answering.inputs import Pixels, Preparation
from medvision.evaluation.operating_point import Decision
from medvision.evaluation.training_range import TrainingRange

Said = dict[str, npt.NDArray[Any]]


class Network(Protocol):
    """Anything that answers for a batch of inputs."""

    def ask(self, pixels: Pixels) -> Said:
        """What the network says of inputs (B, C, S, S) uint8.

        Returns:
            As far as it has them: `probabilities` float32 (B, K) in [0, 1], before calibration; `maps` float32
            (B, M, S, S) in [0, 1], a probability for each mask class and pixel; `features` float32 (B, F).
        """
        ...


class Explainer(Protocol):
    """A network that can show where it has seen evidence."""

    def evidence(self, pixels: Pixels, classes: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.float32], list[bool]]:
        """Maps (B, S, S) float32 in [0, 1] of the evidence for a class (B,) of each input, and which are empty.

        Raises:
            ModelError: the network has no maps to look at.
        """
        ...


@dataclass(frozen=True, eq=False)
class Member:
    """One network of those that answer together.

    Args:
        network: answers.
        decision: temperature, aggregate and thresholds that its run has chosen.
        training_range: what its training images are like; None where the run does not tell.
        explainer: shows evidence; None of a network that cannot.
    """

    network: Network
    decision: Decision
    training_range: TrainingRange | None = None
    explainer: Explainer | None = None


@dataclass(frozen=True, eq=False)
class Model:
    """A trained network, or those of all folds of a cross-validation, with what their runs say of them.

    Args:
        name: for messages, such as the name of the run folder.
        identity: equal only for the same weights and decisions.
        members: one network or several.
        classes: of the labels, in the order of the outputs; none without labels.
        multilabel: several labels an image, or none.
        mask_classes: of the pixels, the background first; none without masks.
        preparation: what is done to an image.
        batch_size: inputs at a time.
        patients: that temperatures and thresholds were chosen on.
        known: SHA-256 of the images that a member has learned from or was tuned on; None of an exported network, which
            does not tell.
        read: how the data set of the run reads an image by its whole name, where it has a way of its own.
        simulated: whether it was trained on images that a program drew.
    """

    name: str
    identity: str
    members: tuple[Member, ...]
    classes: tuple[str, ...]
    multilabel: bool
    mask_classes: tuple[str, ...]
    preparation: Preparation
    batch_size: int
    patients: int
    known: frozenset[str] | None
    read: Callable[[str], npt.NDArray[Any]] | None = None
    simulated: bool = False

    @property
    def level(self) -> str:
        """Whose thresholds decide about an image: one in tiles is a study of them."""
        return "image" if self.preparation.tiles is None else "study"

    @cached_property
    def ranges(self) -> tuple[TrainingRange, ...]:
        """What the training images are like; none unless every member tells."""
        found = [member.training_range for member in self.members]
        return tuple(one for one in found if one is not None) if None not in found else ()

    def decision(self, level: str) -> Decision:
        """Thresholds of a level, the mean over the members."""
        count = len(self.members)
        thresholds = {
            name: sum(member.decision.threshold(level, name) for member in self.members) / count
            for name in self.classes
        }
        return Decision(thresholds={level: thresholds})
