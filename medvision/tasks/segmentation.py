"""Which class does every pixel of this image belong to?"""

from typing import Any, ClassVar, Literal

from pydantic import NonNegativeFloat
from torch import Tensor

from medvision.config.settings import Fraction
from medvision.data.loading import Batch
from medvision.errors import ConfigError
from medvision.models.backbones import normalisation
from medvision.models.layers import set_trainable
from medvision.models.segmenters import Segmenter, create_segmenter
from medvision.models.windows import sliding_window
from medvision.tasks.base import Task
from medvision.tasks.classification import loss_weights
from medvision.tasks.mask_losses import MaskLossName, create_mask_loss
from medvision.tasks.running_masks import MASK_METRIC_NAMES, mask_counts, mask_metrics

Trainable = Literal["all", "decoder"] | list[str]


class SegmentationTask(Task):
    """An encoder with a decoder: a U-Net or one of its relatives.

    Args:
        dataset: what the datamodule says of the data: `mask_classes`, `channels`, `image_size`, `resize`,
            `train_pixels`. Never in the experiment file.
        optimizer: the experiment's own section.
        schedule: the experiment's own section.
        architecture: of segmentation-models-pytorch: `unet`, `unetplusplus`, `manet`, `linknet`, `fpn`, `pspnet`,
            `deeplabv3`, `deeplabv3plus`, `pan`, `upernet`, `segformer`.
        encoder: one of segmentation-models-pytorch, or any timm name behind `tu-`.
        pretrained: true for the published weights of the encoder, false for random ones, or the path of a weight file.
        trainable: `all`, `decoder`, or the names of the parts of the network that learn; the rest keeps its weights and
            its batch-norm statistics.
        class_weights: `none`; `balanced`, from the pixels of the training split; or one weight a class, the
            background first.
        loss: `cross_entropy_dice` is the sum of both; see `medvision.tasks.mask_losses` for all.
        focal_gamma: how strongly the focal loss turns to hard pixels.
        tversky_beta: how much more a missed pixel costs than a false one in the Tversky loss, from 0 to 1.
    """

    metric_names: ClassVar[tuple[str, ...]] = ("loss", *MASK_METRIC_NAMES)

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
        focal_gamma: NonNegativeFloat = 2.0,
        tversky_beta: Fraction = 0.7,
    ) -> None:
        network = build_network(dataset, architecture, encoder, pretrained, trainable)
        super().__init__(network, *normalisation(network, dataset["channels"], pretrained), optimizer, schedule)
        self.save_hyperparameters()
        self.window_size = dataset["image_size"] if dataset["resize"] == "none" else None
        weights = loss_weights(class_weights, dataset["train_pixels"], dataset["train_images"], multilabel=False)
        self.loss = create_mask_loss(loss, class_weights=weights, focal_gamma=focal_gamma, tversky_beta=tversky_beta)

    def compute_loss(self, outputs: Tensor, batch: Batch) -> Tensor:
        """Loss of logits (B, K, S, S) against masks (B, S, S)."""
        return self.loss(outputs, batch["mask"])

    def keep(self, outputs: Tensor, batch: Batch) -> tuple[Tensor, ...]:
        """Pixels of each image and class that agree, were predicted, and are true."""
        return (mask_counts(outputs, batch["mask"]),)

    def compute_metrics(self, *kept: Tensor) -> dict[str, float]:
        """Dice, IoU, sensitivity and precision of an epoch, at the size that the network sees."""
        return mask_metrics(*kept)

    def predict_rows(self, images: Tensor) -> dict[str, Tensor]:
        """`maps` (B, K, S, S) float32, a probability for each class and pixel."""
        maps = self._maps(images)
        if self.flips:
            maps = (maps + self._maps(images.flip(-1)).flip(-1)) / 2
        return {"maps": maps}

    def _maps(self, images: Tensor) -> Tensor:
        if self.window_size is None:
            return self.pixel_probabilities(images)
        return sliding_window(self.pixel_probabilities, images, self.window_size, self.window_overlap)

    def pixel_probabilities(self, images: Tensor) -> Tensor:
        """Probabilities (B, K, S, S) float32 of images (B, C, S, S) uint8."""
        return self(images).float().softmax(dim=1)


def build_network(
    dataset: dict[str, Any],
    architecture: str,
    encoder: str,
    pretrained: bool | str,
    trainable: Trainable,
    *,
    dropout: float = 0.0,
    label_classes: int = 0,
) -> Segmenter:
    """The network for a data set with masks.

    Args:
        dataset: what the datamodule says of the data.
        architecture: see `SegmentationTask`.
        encoder: likewise.
        pretrained: likewise.
        trainable: likewise.
        dropout: before the head of the labels.
        label_classes: outputs of a head for the label of the image; 0 for none.

    Raises:
        ConfigError: the data set has no masks.
        ModelError: the network cannot be built.
    """
    if not dataset["mask_classes"]:
        raise ConfigError("model.task: this data set has no masks; name their column, or write `task: classification`")
    network = create_segmenter(
        architecture,
        encoder,
        channels=dataset["channels"],
        classes=len(dataset["mask_classes"]),
        image_size=dataset["image_size"],
        pretrained=pretrained,
        dropout=dropout,
        label_classes=label_classes,
    )
    set_trainable(network, trainable)
    return network
