"""Networks for classification: every timm name, and our small ones."""

import difflib

import timm
from torch import nn

from medvision.errors import ModelError
from medvision.models.small import SMALL, SmallNetwork
from medvision.models.weights import load_named, load_twin, require_hub_weights

# Pixels from 0 to 255 become -1 to 1 where no published weights say otherwise.
NEUTRAL_MEAN, NEUTRAL_STD = 0.5, 0.5


def create_backbone(
    name: str,
    *,
    channels: int,
    classes: int,
    image_size: int,
    pretrained: bool | str = False,
    dropout: float = 0.0,
) -> nn.Module:
    """A network from images (B, channels, S, S) float32 to logits (B, classes).

    Args:
        name: `vgg_small`, `two_layer_cnn`, or any name that timm knows, with or without the tag of its weights.
        channels: of the images; published weights of the first layer are adapted to it.
        classes: outputs of the head, which is always new.
        image_size: S, for networks that are built for one size.
        pretrained: true for published weights, the path of a weight file, or false.
        dropout: before the head.

    Raises:
        ModelError: an unknown name, or weights that are not to be had or do not fit.
    """
    if name in SMALL:
        network = SMALL[name](channels, classes, dropout)
        return _load_small(network, name, pretrained) if pretrained else network
    if not is_timm_name(name):
        known = name.partition(".")[0]
        near = difflib.get_close_matches(
            name, [*SMALL, *timm.list_models(), *timm.list_models(f"{known}.*", pretrained=True)], 3
        )
        hint = f"did you mean {' or '.join(map(repr, near))}?" if near else "timm.list_models() prints all names"
        raise ModelError(f"model.backbone: no network '{name}'; {hint}")
    arguments: dict[str, object] = {"num_classes": classes, "in_chans": channels, "drop_rate": dropout}
    cfg = timm.get_pretrained_cfg(name)
    if cfg is not None and cfg.fixed_input_size:
        arguments["img_size"] = image_size
    if pretrained is True:
        require_hub_weights(name, cfg)
        return _load_published(name, arguments)
    if pretrained is False:
        return _create_timm(name, arguments)
    return _load_timm(name, pretrained, arguments)


def is_timm_name(name: str) -> bool:
    """Whether timm knows a network, and weights with this tag if the name has one: `resnet18`, `resnet18.a1_in1k`."""
    known = name.partition(".")[0]
    return timm.is_model(known) and (name == known or name in timm.list_models(f"{known}.*", pretrained=True))


def normalisation(
    network: nn.Module, channels: int, pretrained: bool | str
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation by which pixels in [0, 1] are normalised, one each a channel.

    Published weights expect the values they were trained with, which are not ImageNet's for every network. For one
    channel the mean over the three is taken, as the first layer's weights were summed over them.
    """
    cfg = getattr(network, "pretrained_cfg", None)
    if not pretrained or cfg is None:
        return (NEUTRAL_MEAN,) * channels, (NEUTRAL_STD,) * channels
    mean, std = tuple(cfg["mean"]), tuple(cfg["std"])
    if channels == 1:
        return (sum(mean) / len(mean),), (sum(std) / len(std),)
    return mean, std


def head_names(network: nn.Module) -> tuple[str, ...]:
    """Names of the modules that map features to logits."""
    cfg = getattr(network, "pretrained_cfg", None)
    names = cfg["classifier"] if cfg is not None else "classifier"
    return (names,) if isinstance(names, str) else tuple(names or ())


def _create_timm(name: str, arguments: dict[str, object]) -> nn.Module:
    try:
        return timm.create_model(name, **arguments)
    except (AssertionError, RuntimeError, TypeError, ValueError) as error:
        reason = str(error).partition("\n")[0] or "it cannot be built for this image size"
        size = f" at data.image_size {arguments['img_size']}" if "img_size" in arguments else ""
        raise ModelError(f"model.backbone: {name} refuses its settings{size}: {reason}") from error


def _load_published(name: str, arguments: dict[str, object]) -> nn.Module:
    try:
        return timm.create_model(name, pretrained=True, **arguments)
    except OSError as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise ModelError(
            f"model.pretrained: the weights of {name} cannot be fetched ({reason}); give a file "
            f"(`pretrained: weights/{name}.safetensors`), or write `pretrained: false`"
        ) from error


def _load_timm(name: str, path: str, arguments: dict[str, object]) -> nn.Module:
    def build(filled: bool) -> nn.Module:
        if not filled:
            return _create_timm(name, arguments)
        return timm.create_model(name, pretrained=True, pretrained_cfg_overlay={"file": path}, **arguments)

    loaded = load_twin(path, name, build, head_names)
    # The head was drawn from the seed that both twins share: draw it again from the experiment's.
    for part in head_names(loaded):
        for module in loaded.get_submodule(part).modules():
            if isinstance(module, (nn.Linear, nn.Conv2d)):
                module.reset_parameters()
    return loaded


def _load_small(network: SmallNetwork, name: str, pretrained: bool | str) -> SmallNetwork:
    if pretrained is True:
        raise ModelError(f"model.pretrained: {name} has no published weights; give a file or `pretrained: false`")
    load_named(network, str(pretrained), name, head_names(network))
    return network
