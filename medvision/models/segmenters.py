"""Networks for masks: the architectures of segmentation-models-pytorch over its own encoders and those of timm."""

import difflib
import re
from collections.abc import Callable
from typing import Any

import segmentation_models_pytorch as smp
import timm
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from medvision.errors import ModelError
from medvision.models.backbones import is_timm_name
from medvision.models.layers import drop_unused
from medvision.models.weights import load_named, load_twin, require_hub_revision, require_hub_weights

ARCHITECTURES = (
    "unet",
    "unetplusplus",
    "manet",
    "linknet",
    "fpn",
    "pspnet",
    "deeplabv3",
    "deeplabv3plus",
    "pan",
    "upernet",
    "segformer",
)
# smp warns that these names will go; each has a `tu-` equivalent.
OLD_PREFIX, TIMM_PREFIX = "timm-", "tu-"
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
# PAN halves the map of stride 16 three times more.
SMALLEST = {"pan": 128}
DILATED = ("deeplabv3", "deeplabv3plus", "pan")
# These normalise the mean of a whole map over the batch.
POOLING = (*DILATED, "upernet")
TRIAL_SIZE = 64
# A layer of an encoder: names up to the first that holds a digit, and the block within that stage.
LAYER = re.compile(r"(?:[^.\d]+\.)*[^.]*\d[^.]*(?:\.blocks)?(?:\.b?\d+)*(?=\.)")
IN_SEQUENCE = re.compile(r"(?:.*\.)?(?:features_)?\d+")


class Segmenter(nn.Module):
    """An encoder, a decoder that makes maps of its features, and perhaps a head for the label of the whole image.

    The parts and the names of their tensors are those of segmentation-models-pytorch.

    Args:
        model: from segmentation-models-pytorch.
        stride: height and width are padded to its multiples.
        smallest: height and width are padded to this at least.
        largest: no larger image is taken, None for any; some transformers are built for one size.
        least_images: fewest images of a batch to learn from.
        label_classes: outputs of the head for the label; 0 if there is none.
        mean: of the pixels in [0, 1] that the encoder's weights were trained with, one a channel.
        std: likewise.

    Attributes:
        label_classes: outputs of the head for the label; 0 if there is none.
        pretrained_cfg: `mean`, `std` and the names of the heads (`classifier`), as timm's networks tell them.
    """

    def __init__(
        self,
        model: Any,
        *,
        stride: int,
        smallest: int,
        largest: int | None,
        least_images: int,
        label_classes: int,
        mean: tuple[float, ...],
        std: tuple[float, ...],
    ) -> None:
        super().__init__()
        self.encoder = model.encoder
        self.decoder = model.decoder
        self.segmentation_head = model.segmentation_head
        self.classification_head = model.classification_head
        self.stride, self.smallest, self.largest, self.least_images = stride, smallest, largest, least_images
        self.label_classes = label_classes
        heads = ("segmentation_head", "classification_head") if label_classes else ("segmentation_head",)
        self.pretrained_cfg = {"mean": mean, "std": std, "classifier": heads}

    def forward(self, images: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Logits of each pixel, and of each image where there is a head for them.

        Args:
            images: (B, C, H, W) float32 of any size; zeros are added below and to the right where the network needs
                more pixels, and their maps cut off.

        Returns:
            (B, K, H, W); with `label_classes` L a tuple of it and (B, L).

        Raises:
            ModelError: larger images than the encoder is built for, or too small a batch to learn from.
        """
        if self.training and len(images) < self.least_images:
            raise ModelError(
                "data.batch_size: this architecture normalises over the images of a batch and cannot learn from one; "
                "write 2 or more for each device"
            )
        height, width = images.shape[-2:]
        features = self.encoder(F.pad(images, (0, self._padding(width), 0, self._padding(height))))
        maps = self.segmentation_head(self.decoder(features))[..., :height, :width]
        return (maps, self.classification_head(features[-1])) if self.label_classes else maps

    def _padding(self, size: int) -> int:
        if self.largest is not None and size > self.largest:
            raise ModelError(
                f"model.encoder: this encoder is built for images of {self.largest} pixels, not {size}; "
                f"write `data.image_size: {size}`, or take a convolutional encoder"
            )
        return max(-(-size // self.stride) * self.stride, self.smallest) - size

    def group_matcher(self, coarse: bool = False) -> Callable[[str], int]:
        """The layer of each parameter, counted from the input: those of the encoder, then all others as one; see timm.

        A layer is a block of the encoder; what comes before the first is its stem. `coarse` changes nothing here.
        """
        layers: dict[str, int] = {}
        current, found = 0, ""
        for name, _ in self.encoder.named_parameters():
            match = LAYER.match(name)
            # A convolution called conv1 is no layer of its own, the first of several in a sequence (features.0) is.
            if match and (name.count(".", match.end()) > 1 or IN_SEQUENCE.fullmatch(match[0])):
                layer = match[0]
                # What a stage has beside its blocks goes with the block that stands next to it.
                if layer != found and not found.startswith(f"{layer}."):
                    current += not layer.startswith(f"{found}.")
                    found = layer
            layers[f"encoder.{name}"] = current
        return lambda name: layers.get(name, current + 1)

    def no_weight_decay(self) -> set[str]:
        """Names of position embeddings and their like, which are not decayed."""
        words = ("pos_embed", "cls_token", "relative_position_bias", "cpb_mlp", "logit_scale")
        return {name for name, _ in self.named_parameters() if any(word in name for word in words)}


def create_segmenter(
    architecture: str,
    encoder: str,
    *,
    channels: int,
    classes: int,
    image_size: int,
    pretrained: bool | str = False,
    dropout: float = 0.0,
    label_classes: int = 0,
) -> Segmenter:
    """A network from images (B, channels, H, W) float32 to maps (B, classes, H, W) of logits.

    Args:
        architecture: one of `ARCHITECTURES`.
        encoder: one of segmentation-models-pytorch (`resnet18`), or any timm name behind `tu-`, with or without the tag
            of its weights.
        channels: of the images; published weights of the first layer are adapted to it.
        classes: K, the number of maps.
        image_size: for encoders that are built for one size.
        pretrained: true for published weights of the encoder, the path of a weight file, or false.
        dropout: before the head for the label.
        label_classes: outputs of a head for the label of the image, on the encoder's last features; 0 for none.

    Raises:
        ModelError: an unknown name, an encoder that does not fit the architecture, or weights that are not to be had or
            do not fit.
    """
    _check_names(architecture, encoder)
    size = _fixed_size(encoder, image_size)
    arguments: dict[str, Any] = {"in_channels": channels, "classes": classes}
    if label_classes:
        arguments["aux_params"] = {"classes": label_classes, "dropout": dropout}
    if size is not None:
        arguments["img_size"] = size
    model = _create_smp(architecture, encoder, _published(encoder) if pretrained is True else None, arguments)
    if isinstance(pretrained, str):
        _load_encoder(model, architecture, encoder, pretrained, arguments)
    mean, std = _statistics(model, encoder, pretrained)
    segmenter = Segmenter(
        model,
        stride=model.encoder.output_stride,
        smallest=size or SMALLEST.get(architecture, 0),
        largest=size,
        least_images=2 if architecture in POOLING else 1,
        label_classes=label_classes,
        mean=mean,
        std=std,
    )
    _try_out(segmenter, architecture, encoder, channels)
    return segmenter


def _check_names(architecture: str, encoder: str) -> None:
    if architecture not in ARCHITECTURES:
        near = difflib.get_close_matches(architecture, ARCHITECTURES, 1)
        hint = f"did you mean '{near[0]}'?" if near else f"there are {', '.join(ARCHITECTURES)}"
        raise ModelError(f"model.architecture: no architecture '{architecture}'; {hint}")
    own = [name for name in smp.encoders.encoders if not name.startswith(OLD_PREFIX)]
    plain = encoder.removeprefix(TIMM_PREFIX)
    if encoder in own or (encoder != plain and is_timm_name(plain)):
        return
    if is_timm_name(plain):
        near = [TIMM_PREFIX + plain]
    else:
        asked = encoder.replace(OLD_PREFIX, TIMM_PREFIX).replace("-", "_").replace("tu_", TIMM_PREFIX, 1)
        near = difflib.get_close_matches(asked, [*own, *(TIMM_PREFIX + name for name in timm.list_models())], 3)
    hint = f"did you mean {' or '.join(map(repr, near))}?" if near else "timm.list_models() prints what may follow tu-"
    raise ModelError(f"model.encoder: no encoder '{encoder}'; {hint}")


def _fixed_size(encoder: str, image_size: int) -> int | None:
    """The one size that an encoder is built for, or None if it takes any."""
    cfg = timm.get_pretrained_cfg(encoder.removeprefix(TIMM_PREFIX)) if encoder.startswith(TIMM_PREFIX) else None
    return -(-image_size // 32) * 32 if cfg is not None and cfg.fixed_input_size else None


def _published(encoder: str) -> bool | str:
    """What smp calls the published weights of an encoder, once they are known to be within reach."""
    if encoder.startswith(TIMM_PREFIX):
        name = encoder.removeprefix(TIMM_PREFIX)
        require_hub_weights(encoder, timm.get_pretrained_cfg(name))
        return True
    settings = smp.encoders.encoders[encoder]["pretrained_settings"]
    chosen = "imagenet" if "imagenet" in settings else next(iter(settings))
    require_hub_revision(encoder, settings[chosen]["repo_id"], settings[chosen]["revision"])
    return chosen


def _create_smp(architecture: str, encoder: str, weights: bool | str | None, arguments: dict[str, Any]) -> Any:
    try:
        return smp.create_model(architecture, encoder, encoder_weights=weights, **arguments)
    except Exception as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        if not isinstance(error, OSError):
            raise _unfit(architecture, encoder, reason) from error
        raise ModelError(
            f"model.pretrained: the weights of {encoder} cannot be fetched ({reason}); give a file "
            f"(`pretrained: weights/{encoder}.safetensors`), or write `pretrained: false`"
        ) from error


def _unfit(architecture: str, encoder: str, reason: str) -> ModelError:
    if architecture in DILATED:
        reason += f"; {architecture} needs an encoder that can be dilated, such as resnet18 or tu-convnext_atto"
    return ModelError(f"model.encoder: {encoder} does not fit {architecture}: {reason}")


def _load_encoder(model: Any, architecture: str, encoder: str, path: str, arguments: dict[str, Any]) -> None:
    if not encoder.startswith(TIMM_PREFIX):
        load_named(model.encoder, path, encoder)
        return

    def build(filled: bool) -> nn.Module:
        # Not by way of _create_smp, whose message would hide what is wrong with the file.
        file = {"pretrained_cfg_overlay": {"file": path}} if filled else {}
        return smp.create_model(architecture, encoder, filled or None, **arguments, **file).encoder.model

    model.encoder.model = load_twin(path, encoder, build, lambda network: ())


def _statistics(model: Any, encoder: str, pretrained: bool | str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of the images that the encoder's published weights were trained with."""
    if encoder.startswith(TIMM_PREFIX):
        cfg = model.encoder.model.pretrained_cfg
    elif pretrained is True:
        cfg = smp.encoders.get_preprocessing_params(encoder, _published(encoder))
    else:
        return IMAGENET_MEAN, IMAGENET_STD
    return tuple(cfg["mean"]), tuple(cfg["std"])


def _try_out(segmenter: Segmenter, architecture: str, encoder: str, channels: int) -> None:
    """Run the network once, for some encoders are built without complaint and fail at their first image."""
    size = max(TRIAL_SIZE, segmenter.smallest)
    images = torch.zeros(1, channels, size, size)
    segmenter.eval()
    try:
        outputs = segmenter(images)
        if architecture == "pspnet":
            # smp's own encoders bring stages that PSPNet does not look at.
            drop_unused(segmenter.encoder, outputs)
            segmenter(images)
    except Exception as error:
        raise _unfit(architecture, encoder, str(error).partition("\n")[0] or type(error).__name__) from error
    segmenter.train()
