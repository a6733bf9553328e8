"""Both questions at once: which class is every pixel, and which class does the image show?"""

from typing import Any, ClassVar, Literal

from pydantic import NonNegativeFloat
from torch import Tensor

from medvision.config.settings import Fraction
from medvision.data.loading import Batch
from medvision.errors import ConfigError
from medvision.models.backbones import normalisation
from medvision.tasks.base import Task
from medvision.tasks.classification import class_probabilities, loss_weights, require_labels
from medvision.tasks.losses import create_loss
from medvision.tasks.mask_losses import MaskLossName, create_mask_loss
from medvision.tasks.running_masks import MASK_METRIC_NAMES, mask_counts, mask_metrics
from medvision.tasks.running_metrics import METRIC_NAMES, classification_metrics
from medvision.tasks.segmentation import Trainable, build_network


class MultiTask(Task):
    """An encoder that a decoder for masks and a head for labels share.

    Args:
        dataset: what the datamodule says of the data. Never in the experiment file.
        optimizer: the experiment's own section.
        schedule: the experiment's own section.
        architecture: see `SegmentationTask`.
        encoder: likewise.
        pretrained: likewise.
        trainable: likewise.
        class_weights: of the labels: `none`, `balanced`, or one weight a class.
        loss: of the masks, see `SegmentationTask`.
        label_weight: the loss is that of the masks plus so many times the cross-entropy of the labels.
        dropout: before the head of the labels.
    """

    metric_names: ClassVar[tuple[str, ...]] = ("loss", *MASK_METRIC_NAMES, *METRIC_NAMES)

    def __init__(
        self,
        dataset: dict[str, Any],
        optimizer: dict[str, Any],
        schedule: dict[str, Any],
        architecture: str = "unet",
        encoder: str = "resnet18",
        pretrained: bool | str = False,
        trainable: Trainable = "all",
        class_weights: Literal["none", "balanced"] | list[NonNegativeFloat] = "none",
        loss: MaskLossName = "cross_entropy_dice",
        label_weight: NonNegativeFloat = 0.5,
        dropout: Fraction = 0.0,
    ) -> None:
        classes = require_labels(dataset)
        if dataset["resize"] == "none":
            raise ConfigError("data.resize: none shows windows, of which a label says nothing; write letterbox")
        network = build_network(
            dataset, architecture, encoder, pretrained, trainable, dropout=dropout, label_classes=len(classes)
        )
        super().__init__(network, *normalisation(network, dataset["channels"], pretrained), optimizer, schedule)
        self.save_hyperparameters()
        self.multilabel, self.label_weight = bool(dataset["multilabel"]), label_weight
        weights = loss_weights(class_weights, dataset["train_counts"], dataset["train_images"], self.multilabel)
        self.mask_loss = create_mask_loss(loss, class_weights=None)
        self.label_loss = create_loss(
            "cross_entropy", multilabel=self.multilabel, class_weights=weights, label_smoothing=0.0
        )

    def compute_loss(self, outputs: tuple[Tensor, Tensor], batch: Batch) -> Tensor:
        """Loss of maps (B, K, S, S) and logits (B, L)."""
        maps, logits = outputs
        return self.mask_loss(maps, batch["mask"]) + self.label_weight * self.label_loss(logits, batch["target"])

    def keep(self, outputs: tuple[Tensor, Tensor], batch: Batch) -> tuple[Tensor, ...]:
        """Pixel counts of the masks, logits and targets of the labels."""
        maps, logits = outputs
        return mask_counts(maps, batch["mask"]), logits.float(), batch["target"]

    def compute_metrics(self, *kept: Tensor) -> dict[str, float]:
        """The metrics of the masks and those of the labels."""
        counts, logits, target = kept
        return {**mask_metrics(counts), **classification_metrics(logits, target, multilabel=self.multilabel)}

    def predict_rows(self, images: Tensor) -> dict[str, Tensor]:
        """`maps` (B, K, S, S) and `probabilities` (B, L), float32."""
        maps, probabilities = self._both(images)
        if self.flips:
            flipped_maps, flipped = self._both(images.flip(-1))
            maps, probabilities = (maps + flipped_maps.flip(-1)) / 2, (probabilities + flipped) / 2
        return {"maps": maps, "probabilities": probabilities}

    def _both(self, images: Tensor) -> tuple[Tensor, Tensor]:
        maps, logits = self(images)
        return maps.float().softmax(dim=1), class_probabilities(logits, multilabel=self.multilabel)
