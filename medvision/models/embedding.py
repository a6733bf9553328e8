"""Features of an image: what a network says of it before its head."""

import inspect
import math
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from medvision.errors import ModelError
from medvision.models.backbones import create_backbone, head_names, normalisation
from medvision.models.segmenters import Segmenter


class Embedder(nn.Module):
    """A frozen network that turns images into features.

    Its weights, and mean and standard deviation of the pixels, are in its state dict, so that a checkpoint needs no
    weight file.

    Args:
        network: from `create_backbone` or `create_segmenter`; from now on it learns nothing.
        mean: of the pixels in [0, 1], one a channel.
        std: likewise.

    Attributes:
        num_features: F, features of an image.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, network: nn.Module, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        super().__init__()
        self.network = network.to(memory_format=torch.channels_last).requires_grad_(False)
        self.register_buffer("mean", torch.tensor(mean).view(1, -1, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(1, -1, 1, 1))
        self.num_features = _count(network)

    def forward(self, images: Tensor) -> Tensor:
        """Features of images.

        The precision is float32 on every device, so that features computed on one can be used on another.

        Args:
            images: (B, C, S, S) uint8.

        Returns:
            (B, F) float32, without gradients.
        """
        pixels = (images.float() / 255 - self.mean) / self.std
        with torch.no_grad(), torch.autocast(images.device.type, enabled=False):
            return embed(self.network, pixels.contiguous(memory_format=torch.channels_last))


def create_embedder(backbone: str, pretrained: bool | str, channels: int, image_size: int) -> Embedder:
    """A frozen backbone.

    Args:
        backbone: any timm name, `vgg_small` or `two_layer_cnn`.
        pretrained: true for the published weights, the path of a weight file, or false for random ones.
        channels: of the images.
        image_size: S, for networks that are built for one size.

    Raises:
        ModelError: an unknown name, weights that are not to be had or do not fit, or a network without features.
    """
    network = create_backbone(
        backbone, channels=channels, classes=1, image_size=image_size, pretrained=pretrained, dropout=0.0
    )
    return Embedder(network, *normalisation(network, channels, pretrained))


def embed(network: nn.Module, normalised: Tensor) -> Tensor:
    """The features from which the head of a network answers.

    Of a network for classification it is what its last linear layer is given; of one for masks the last maps of its
    encoder, averaged over the image. The mode of the network is kept; batch norms use their statistics.

    Args:
        network: from `create_backbone` or `create_segmenter`.
        normalised: (B, C, H, W) float32, as for the network.

    Returns:
        (B, F) float32.

    Raises:
        ModelError: the network does not tell its features.
    """
    modes = {module: module.training for module in network.modules()}
    network.eval()
    try:
        features = _encoded(network, normalised) if isinstance(network, Segmenter) else _pooled(network, normalised)
    finally:
        for module, mode in modes.items():
            module.training = mode
    return features.float()


def _pooled(network: Any, normalised: Tensor) -> Tensor:
    head = getattr(network, "forward_head", None)
    if hasattr(network, "forward_features") and head and "pre_logits" in inspect.signature(head).parameters:
        features = head(network.forward_features(normalised), pre_logits=True)
    else:
        features = _before_head(network, normalised)
    if not isinstance(features, Tensor) or len(features) != len(normalised):
        raise _without_features(network, "they are several tensors")
    return features.flatten(1)


def _before_head(network: nn.Module, normalised: Tensor) -> Tensor:
    """What the classifier is given, of a network that has no word for it."""
    names = [name for name in head_names(network) if name in dict(network.named_modules())]
    if not names:
        raise _without_features(network, "it does not name its classifier")
    given: list[Tensor] = []
    handle = network.get_submodule(names[0]).register_forward_pre_hook(lambda _, inputs: given.append(inputs[0]))
    try:
        network(normalised)
    finally:
        handle.remove()
    if not given:
        raise _without_features(network, f"it does not use {names[0]}")
    return given[0]


def _encoded(network: Segmenter, normalised: Tensor) -> Tensor:
    """The mean over the image of the encoder's last maps; what was added to fit its stride does not count."""
    height, width = normalised.shape[-2:]
    padding = [
        max(math.ceil(side / network.stride) * network.stride, network.smallest) - side for side in (height, width)
    ]
    maps = network.encoder(F.pad(normalised, (0, padding[1], 0, padding[0])))[-1]
    rows, columns = (
        max(math.ceil(count * side / (side + more)), 1)
        for count, side, more in zip(maps.shape[-2:], (height, width), padding, strict=True)
    )
    return maps[:, :, :rows, :columns].mean(dim=(2, 3))


def _count(network: Any) -> int:
    if isinstance(network, Segmenter):
        return int(network.encoder.out_channels[-1])
    known = getattr(network, "head_hidden_size", None) or getattr(network, "num_features", None)
    if known is None:
        raise _without_features(network, "it does not tell their number")
    return int(known)


def _without_features(network: nn.Module, why: str) -> ModelError:
    return ModelError(f"model.backbone: {type(network).__name__} has no features to take: {why}")
