"""Which class does this image show? One of several, or several at once."""

from typing import Any, ClassVar, Literal

import torch
from pydantic import NonNegativeFloat
from torch import Tensor

from medvision.config.settings import Fraction
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
        classes, channels = list(dataset["classes"]), dataset["channels"]
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
        weights = _weights(class_weights, dataset["train_counts"], dataset["train_images"], self.multilabel)
        self.loss = create_loss(
            loss,
            multilabel=self.multilabel,
            class_weights=weights,
            label_smoothing=label_smoothing,
            focal_gamma=focal_gamma,
        )

    def compute_loss(self, outputs: Tensor, target: Tensor) -> Tensor:
        """Loss of logits (B, K) against class numbers (B,) or zeros and ones (B, K)."""
        return self.loss(outputs, target)

    def compute_metrics(self, outputs: Tensor, target: Tensor) -> dict[str, float]:
        """Accuracy, balanced accuracy, F1, AUROC and average precision of an epoch."""
        return classification_metrics(outputs, target, multilabel=self.multilabel)

    def predict_rows(self, outputs: Tensor) -> dict[str, Tensor]:
        """`probabilities` (B, K) float32."""
        logits = outputs.float()
        return {"probabilities": logits.sigmoid() if self.multilabel else logits.softmax(dim=1)}


def _weights(chosen: str | list[float], counts: list[int], images: int, multilabel: bool) -> Tensor | None:
    if chosen == "none":
        return None
    if chosen == "balanced":
        return torch.tensor(balanced_weights(counts, images=images if multilabel else None))
    if len(chosen) != len(counts):
        raise ConfigError(f"model.class_weights: {len(chosen)} weights for {len(counts)} classes")
    return torch.tensor(chosen, dtype=torch.float32)
