"""Which class does this image show? One of several, or several at once."""

from typing import Any, ClassVar, Literal

import torch
from pydantic import NonNegativeFloat
from torch import Tensor

from medvision.config.settings import Fraction
from medvision.data.loading import Batch
from medvision.errors import ConfigError
from medvision.models.backbones import create_backbone, normalisation
from medvision.models.layers import set_trainable
from medvision.tasks.base import Task
from medvision.tasks.losses import balanced_weights, create_loss
from medvision.tasks.running_metrics import METRIC_NAMES, classification_metrics


class ClassificationTask(Task):
    """A backbone with a linear head.

    Args:
        dataset: what the datamodule says of the data: `classes`, `multilabel`, `channels`, `image_size`,
            `train_counts`. Never in the experiment file.
        optimizer: the experiment's own section.
        schedule: the experiment's own section.
        backbone: any timm name, `vgg_small` or `two_layer_cnn`.
        pretrained: true for the published weights, false for random ones, or the path of a weight file.
        trainable: `all`, `head`, or the names of the parts of the network that learn; the rest keeps its weights and
            its batch-norm statistics.
        class_weights: `none`; `balanced`, from the training split; or one weight a class.
        loss: `cross_entropy` (for several classes at once: binary cross-entropy) or `focal`.
        focal_gamma: how strongly the focal loss turns to hard cases.
        label_smoothing: share of the target that is spread over all classes.
        dropout: before the head.
    """

    metric_names: ClassVar[tuple[str, ...]] = ("loss", *METRIC_NAMES)

    def __init__(
        self,
        dataset: dict[str, Any],
        optimizer: dict[str, Any],
        schedule: dict[str, Any],
        backbone: str = "resnet18",
        pretrained: bool | str = False,
        trainable: Literal["all", "head"] | list[str] = "all",
        class_weights: Literal["none", "balanced"] | list[NonNegativeFloat] = "none",
        loss: Literal["cross_entropy", "focal"] = "cross_entropy",
        focal_gamma: NonNegativeFloat = 2.0,
        label_smoothing: Fraction = 0.0,
        dropout: Fraction = 0.0,
    ) -> None:
        classes, channels = require_labels(dataset), dataset["channels"]
        network = create_backbone(
            backbone,
            channels=channels,
            classes=len(classes),
            image_size=dataset["image_size"],
            pretrained=pretrained,
            dropout=dropout,
        )
        super().__init__(network, *normalisation(network, channels, pretrained), optimizer, schedule)
        self.save_hyperparameters()
        self.classes, self.multilabel = classes, bool(dataset["multilabel"])
        set_trainable(network, trainable)
        weights = loss_weights(class_weights, dataset["train_counts"], dataset["train_images"], self.multilabel)
        self.loss = create_loss(
            loss,
            multilabel=self.multilabel,
            class_weights=weights,
            label_smoothing=label_smoothing,
            focal_gamma=focal_gamma,
        )

    def compute_loss(self, outputs: Tensor, batch: Batch) -> Tensor:
        """Loss of logits (B, K) against class numbers (B,) or zeros and ones (B, K)."""
        return self.loss(outputs, batch["target"])

    def keep(self, outputs: Tensor, batch: Batch) -> tuple[Tensor, ...]:
        """Logits and targets."""
        return outputs.float(), batch["target"]

    def validation_loss(self, mean: Tensor, *kept: Tensor) -> Tensor:
        """The loss of all logits at once: class weights make the mean of the batches another number."""
        return self.loss(*kept)

    def compute_metrics(self, *kept: Tensor) -> dict[str, float]:
        """Accuracy, balanced accuracy, F1, AUROC and average precision of an epoch."""
        return classification_metrics(*kept, multilabel=self.multilabel)

    def predict_rows(self, images: Tensor) -> dict[str, Tensor]:
        """`probabilities` (B, K) float32."""
        probabilities = class_probabilities(self(images), multilabel=self.multilabel)
        if self.flips:
            probabilities = (probabilities + class_probabilities(self(images.flip(-1)), multilabel=self.multilabel)) / 2
        return {"probabilities": probabilities}


def require_labels(dataset: dict[str, Any]) -> list[str]:
    """The classes of a data set.

    Raises:
        ConfigError: its images have no labels.
    """
    if not dataset["classes"]:
        raise ConfigError("model.task: this data set has no labels; name their column, or write `task: segmentation`")
    return list(dataset["classes"])


def class_probabilities(logits: Tensor, *, multilabel: bool) -> Tensor:
    """Probabilities (B, K) float32 of logits (B, K)."""
    return logits.float().sigmoid() if multilabel else logits.float().softmax(dim=1)


def loss_weights(chosen: str | list[float], counts: list[int], images: int, multilabel: bool) -> Tensor | None:
    """The weights of the classes that `class_weights` asks for.

    Args:
        chosen: `none`, `balanced`, or one weight a class.
        counts: of each class in the training split.
        images: in the training split.
        multilabel: several classes at once.

    Raises:
        ConfigError: not one weight a class.
    """
    if chosen == "none":
        return None
    if chosen == "balanced":
        return torch.tensor(balanced_weights(counts, images=images if multilabel else None))
    if len(chosen) != len(counts):
        raise ConfigError(f"model.class_weights: {len(chosen)} weights for {len(counts)} classes")
    return torch.tensor(chosen, dtype=torch.float32)
