"""Two small networks for images that no network has seen before. They speak timm's language."""

from typing import Any

from torch import Tensor, nn


class SmallNetwork(nn.Module):
    """Blocks of convolutions, a global average, a linear head.

    The names are those of timm's networks, so that freezing, features and weight files work the same way.

    Args:
        blocks: from (B, channels, H, W) to (B, features, h, w).
        features: of the last block.
        classes: outputs of the head.
        dropout: before the head.
    """

    def __init__(self, blocks: nn.Sequential, features: int, classes: int, dropout: float) -> None:
        super().__init__()
        self.num_features = features
        self.features = blocks
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(features, classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward_features(self, images: Tensor) -> Tensor:
        """Feature maps (B, features, h, w)."""
        return self.features(images)

    def forward_head(self, features: Tensor, pre_logits: bool = False) -> Tensor:
        """Logits (B, classes), or the pooled features (B, features) before them."""
        pooled = features.mean(dim=(2, 3))
        return pooled if pre_logits else self.classifier(self.dropout(pooled))

    def forward(self, images: Tensor) -> Tensor:
        """Logits (B, classes) of images (B, channels, H, W)."""
        return self.forward_head(self.forward_features(images))

    def get_classifier(self) -> nn.Module:
        """The head."""
        return self.classifier

    def group_matcher(self, coarse: bool = False) -> dict[str, Any]:
        """Which parameters belong to which layer, counted from the input; see timm."""
        return {"stem": r"^$", "blocks": r"^features\.(\d+)"}


def vgg_small(channels: int, classes: int, dropout: float = 0.0) -> SmallNetwork:
    """Four VGG blocks of two 3×3 convolutions with 32 to 256 filters, 1.2 million parameters.

    VGG's pattern (Simonyan and Zisserman, ICLR 2015) with batch normalisation, and a global average in place of its
    fully connected layers, which hold nine tenths of VGG's parameters.
    """
    widths = (32, 64, 128, 256)
    blocks = [_vgg_block(inputs, outputs) for inputs, outputs in zip((channels, *widths), widths, strict=False)]
    return SmallNetwork(nn.Sequential(*blocks), widths[-1], classes, dropout)


def two_layer_cnn(channels: int, classes: int, dropout: float = 0.0) -> SmallNetwork:
    """Two 3×3 convolutions with 16 and 32 filters, each with a maximum over 2×2: 5,000 parameters."""
    layers = [
        nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(2))
        for inputs, outputs in ((channels, 16), (16, 32))
    ]
    return SmallNetwork(nn.Sequential(*layers), 32, classes, dropout)


def _vgg_block(inputs: int, outputs: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for width in (inputs, outputs):
        layers += [nn.Conv2d(width, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers, nn.MaxPool2d(2))


SMALL = {"vgg_small": vgg_small, "two_layer_cnn": two_layer_cnn}
