"""Which part of an image spoke for a class: Grad-CAM over the last feature maps of a network.

Selvaraju et al., Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization (ICCV 2017).
"""

import math
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from medvision.errors import ModelError
from medvision.models.segmenters import Segmenter

# A positive sum that is so small beside the negative ones is a rounding error of float32.
ROUNDING = 1e-6
# Where timm's transformers keep the blocks in which a class token looks at the patches, the most special name first.
TOKEN_BLOCKS = ("post_network", "cls_attn_blocks", "blocks_token_only", "blocks")


@dataclass(frozen=True)
class EvidenceMaps:
    """Where each image of a batch spoke for a class.

    Args:
        maps: (B, H, W) float32 in [0, 1]; 1 is the strongest evidence within the same image, so that maps of two images
            cannot be compared in strength. All zero where there is no positive evidence.
        no_evidence: (B,) bool, where nothing in the feature maps spoke for the class.
    """

    maps: Tensor
    no_evidence: Tensor


def grad_cam(network: nn.Module, images: Tensor, classes: Tensor) -> EvidenceMaps:
    """The evidence that a network saw for one class of each image.

    The gradient of the logit of the class with respect to the last feature maps, averaged over the positions, weighs
    the maps; their weighted sum, where it is positive, is the evidence. It is as coarse as the feature maps, of which
    most networks have 7 × 7 positions in an image of 224 pixels, and is enlarged linearly. Where the head reads nothing
    but the class token of a transformer, the maps are the normalised tokens that its last attention is given: those
    behind it have no part in the answer.

    Args:
        network: from `create_backbone`, or from `create_segmenter` with a head for the label. Its mode is kept.
        images: (B, C, H, W) float32, normalised as for the network, on its device.
        classes: (B,) int64, the number of the class whose evidence is asked for.

    Raises:
        ModelError: the network has no feature maps from which the logits follow.
    """
    mode = network.training
    network.eval()
    try:
        features, logits = _split(network, images)
        with torch.enable_grad():
            chosen = logits.gather(1, classes[:, None]).sum()
            (gradients,) = torch.autograd.grad(chosen, features)
    finally:
        network.train(mode)
    summed = weighted_sum(_planes(network, features.detach()), _planes(network, gradients))
    # The segmenter has added rows below and columns to the right, up to a multiple of its stride.
    height, width = images.shape[-2:]
    seen = [side * network.stride for side in summed.shape[1:]] if isinstance(network, Segmenter) else (height, width)
    enlarged = F.interpolate(summed.clamp(min=0)[:, None], seen, mode="bilinear", align_corners=False)
    evidence = enlarged[:, 0, :height, :width]
    peak = evidence.amax(dim=(1, 2))
    no_evidence = peak <= ROUNDING * summed.abs().amax(dim=(1, 2))
    scale = torch.where(no_evidence, torch.inf, peak)
    return EvidenceMaps(evidence / scale[:, None, None], no_evidence)


def weighted_sum(features: Tensor, gradients: Tensor) -> Tensor:
    """Feature maps weighted by their mean gradients: positive where they speak for the class, negative against it.

    Args:
        features: (B, C, h, w).
        gradients: (B, C, h, w) of a logit with respect to them.

    Returns:
        (B, h, w) float32.
    """
    weights = gradients.float().mean(dim=(2, 3), keepdim=True)
    return (weights * features.float()).sum(dim=1)


def _split(network: Any, images: Tensor) -> tuple[Tensor, Tensor]:
    """Features as a leaf of the graph, and the logits (B, K) that follow from them."""
    if isinstance(network, Segmenter) and network.label_classes:
        return _cut_at(network, images, network.classification_head, before=True)
    if getattr(network, "global_pool", None) == "token":
        return _cut_at(network, images, _last_attention(network), before=False)
    if not hasattr(network, "forward_features") or not hasattr(network, "forward_head"):
        raise _without_maps(network, "it has no forward_features and forward_head")
    with torch.no_grad():
        features = network.forward_features(images)
    if not isinstance(features, Tensor):
        raise _without_maps(network, "its features are several tensors")
    features = features.detach().requires_grad_()
    with torch.enable_grad():
        # A copy, for a head may begin with a module that changes its input in place.
        return features, network.forward_head(features.clone())


def _cut_at(network: Any, images: Tensor, module: nn.Module, *, before: bool) -> tuple[Tensor, Tensor]:
    """Run a network, and make the input or the output of one of its modules the leaf of the graph."""
    leaves: list[Tensor] = []

    def leaf(tensor: Tensor) -> Tensor:
        leaves.append(tensor.detach().requires_grad_())
        return leaves[-1].clone()

    if before:
        handle = module.register_forward_pre_hook(lambda _, inputs: (leaf(inputs[0]), *inputs[1:]))
    else:
        handle = module.register_forward_hook(lambda _, inputs, output: leaf(output))
    try:
        with torch.enable_grad():
            outputs = network(images)
    finally:
        handle.remove()
    return leaves[-1], outputs[-1] if isinstance(outputs, tuple) else outputs


def _last_attention(network: Any) -> nn.Module:
    """The normalisation before the last attention of a transformer."""
    blocks = next((getattr(network, name) for name in TOKEN_BLOCKS if hasattr(network, name)), None)
    norm = getattr(blocks[-1], "norm1", None) if blocks is not None else None
    if norm is None:
        raise _without_maps(network, "its head reads a class token, and its last attention is not found")
    return norm


def _planes(network: Any, features: Tensor) -> Tensor:
    """Features of any network as maps (B, C, h, w)."""
    if features.ndim == 3:
        count = features.shape[1]
        extra = getattr(network, "num_prefix_tokens", count - math.isqrt(count) ** 2)
        side = math.isqrt(count - extra)
        if side**2 != count - extra:
            raise _without_maps(network, f"its {count} tokens are no square")
        planes = features[:, extra:].transpose(1, 2).unflatten(2, (side, side))
    elif features.ndim == 4:
        _, first, second, third = features.shape
        last = getattr(network, "output_fmt", None) == "NHWC" or first == second != third
        planes = features.permute(0, 3, 1, 2) if last else features
    else:
        raise _without_maps(network, f"its features have the shape {tuple(features.shape)}")
    if planes[0, 0].numel() == 1:
        raise _without_maps(network, "they are 1 × 1 at this size of image; a larger one has more")
    return planes


def _without_maps(network: nn.Module, why: str) -> ModelError:
    return ModelError(f"Grad-CAM: {type(network).__name__} has no feature maps to look at: {why}")
