import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from captum.attr import LayerGradCam
from torch import nn

from medvision.errors import ModelError
from medvision.models.backbones import create_backbone
from medvision.models.grad_cam import grad_cam, weighted_sum
from medvision.models.segmenters import create_segmenter

TOKENS, LAST, FIRST = "tokens", "channels last", "channels first"


class Fixed(nn.Module):
    """Features that are given, and a head that takes their mean: everything can be worked out by hand."""

    def __init__(self, features, weights):
        super().__init__()
        self.given, self.weights = features, weights

    def forward_features(self, images):
        return self.given.expand(len(images), *self.given.shape[1:])

    def forward_head(self, features):
        return features.mean(dim=(2, 3)) @ self.weights


class Patches(nn.Module):
    """Mean grey values of patches, laid out as one family of networks or another lays them out; bright is class 1."""

    def __init__(self, layout, patch=8):
        super().__init__()
        self.layout, self.patch = layout, patch
        if layout == TOKENS:
            self.num_prefix_tokens = 2

    def forward_features(self, images):
        maps = F.avg_pool2d(images, self.patch)
        maps = torch.cat([maps, torch.zeros_like(maps).expand(-1, 4, -1, -1)], dim=1)
        if self.layout == TOKENS:
            # Class tokens that would move the whole map if they were taken for patches.
            return torch.cat([torch.full_like(maps[:, :, 0, :2], 9.0), maps.flatten(2)], dim=2).transpose(1, 2)
        return maps.permute(0, 2, 3, 1) if self.layout == LAST else maps

    def forward_head(self, features):
        bright = features[:, 2:, 0].mean(dim=1) if self.layout == TOKENS else None
        if bright is None:
            bright = (features[..., 0] if self.layout == LAST else features[:, 0]).mean(dim=(1, 2))
        return torch.stack([-bright, bright], dim=1)


class Square(nn.Module):
    """Tokens behind class tokens as maps, so that an explainer for convolutions can look at them, and back."""

    def __init__(self, extra):
        super().__init__()
        self.extra, self.seen = extra, nn.Identity()

    def forward(self, tokens):
        side = int((tokens.shape[1] - self.extra) ** 0.5)
        maps = tokens[:, self.extra :].reshape(len(tokens), side, side, -1).permute(0, 3, 1, 2)
        back = self.seen(maps).permute(0, 2, 3, 1).reshape(len(tokens), side * side, -1)
        return torch.cat([tokens[:, : self.extra], back], dim=1)


class Turned(nn.Module):
    """Maps with the channels last, which an explainer for convolutions sees with the channels first."""

    def __init__(self):
        super().__init__()
        self.seen = nn.Identity()

    def forward(self, maps):
        return self.seen(maps.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)


class LabelOnly(nn.Module):
    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, images):
        return self.network(images)[1]


def by_captum(model, layer, images, classes, size):
    """The same by an independent implementation: enlarged, scaled to the maximum."""
    maps = LayerGradCam(model.eval(), layer).attribute(images, classes, relu_attributions=True)
    maps = F.interpolate(maps, (size, size), mode="bilinear")[:, 0, : images.shape[-2], : images.shape[-1]]
    peak = maps.amax(dim=(1, 2), keepdim=True)
    return torch.where(peak > 0, maps / peak.clamp(min=1e-30), 0).detach()


def draw(size, channels=3, images=6):
    return torch.randn(images, channels, size, size, generator=torch.Generator().manual_seed(0))


def make(name, size, channels=3):
    torch.manual_seed(1)
    network = create_backbone(name, channels=channels, classes=3, image_size=size)
    for module in network.modules():
        # Running statistics of a network that has seen images, without which random weights die out.
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.momentum = None
    network(draw(size, channels))
    return network


def compare(found, expected):
    assert found.maps.shape == expected.shape
    assert found.maps.dtype == torch.float32
    torch.testing.assert_close(found.maps, expected, atol=2e-5, rtol=0)
    assert (found.no_evidence == (expected.amax(dim=(1, 2)) == 0)).all()
    # A comparison of empty maps would prove nothing.
    assert (~found.no_evidence).sum() >= 2
    peaks = found.maps[~found.no_evidence].amax(dim=(1, 2))
    torch.testing.assert_close(peaks, torch.ones_like(peaks))


CLASSES = torch.tensor([0, 1, 2, 0, 1, 2])


@pytest.mark.parametrize(
    ("name", "size", "layer"),
    [
        ("resnet18", 96, "layer4"),
        ("tf_efficientnet_lite0", 96, "bn2"),
        ("mobilenetv3_small_050", 96, "blocks"),
        ("vgg_small", 64, "features"),
        ("two_layer_cnn", 32, "features"),
    ],
)
def test_a_convolutional_network_gives_the_map_of_captum(name, size, layer):
    network, images = make(name, size), draw(size)
    expected = by_captum(network, network.get_submodule(layer), images, CLASSES, size)
    compare(grad_cam(network, images, CLASSES), expected)


@pytest.mark.parametrize(
    ("name", "size", "extra"),
    [("test_vit", 64, 1), ("vit_tiny_patch16_224", 64, 1), ("deit_tiny_distilled_patch16_224", 64, 2)],
)
def test_a_transformer_with_class_token_gives_the_map_of_captum_before_its_last_attention(name, size, extra):
    network, images = make(name, size), draw(size)
    found = grad_cam(network, images, CLASSES)
    square = Square(extra)
    network.blocks[-1].norm1 = nn.Sequential(network.blocks[-1].norm1, square)
    compare(found, by_captum(network, square.seen, images, CLASSES, size))


def test_patches_have_no_part_in_the_answer_behind_the_last_attention():
    network, images = make("test_vit", 64), draw(64)
    features = network.eval().forward_features(images).detach().requires_grad_()
    (gradients,) = torch.autograd.grad(network.forward_head(features).sum(), features)
    assert gradients[:, 0].abs().max() > 0
    assert (gradients[:, 1:] == 0).all(), "a map of these would be empty, whatever the network saw"


def test_a_transformer_that_averages_its_tokens_gives_the_map_of_captum():
    network, images = make("test_vit3", 64), draw(64)
    assert network.global_pool != "token"
    found = grad_cam(network, images, CLASSES)
    square = Square(network.num_prefix_tokens)
    network.norm = nn.Sequential(network.norm, square)
    compare(found, by_captum(network, square.seen, images, CLASSES, 64))


def test_a_transformer_with_channels_last_gives_the_map_of_captum():
    network, images = make("swin_tiny_patch4_window7_224", 64), draw(64)
    found = grad_cam(network, images, CLASSES)
    turned = Turned()
    network.norm = nn.Sequential(network.norm, turned)
    compare(found, by_captum(network, turned.seen, images, CLASSES, 64))


@pytest.mark.parametrize("size", [64, 80])
def test_a_network_for_masks_and_labels_gives_the_map_of_its_label(size):
    torch.manual_seed(1)
    network = create_segmenter("unet", "resnet18", channels=1, classes=2, image_size=size, label_classes=3)
    images = draw(size, channels=1)
    network(images)
    # 80 pixels are padded to 96.
    expected = by_captum(LabelOnly(network), network.encoder.layer4, images, CLASSES, -(-size // 32) * 32)
    compare(grad_cam(network, images, CLASSES), expected)


def test_a_map_worked_out_by_hand():
    features = torch.tensor([[[[1.0, 0.0], [0.0, 2.0]], [[0.0, 3.0], [0.0, 0.0]]]])
    network = Fixed(features, torch.tensor([[4.0, -4.0, 0.0], [-4.0, 0.0, 0.0]]))
    # The logit of class 0 is 4 mean(A) - 4 mean(B): each of the four positions of A has the gradient 1, of B -1.
    # A - B = [[1, -3], [0, 2]]; without what is negative and over the maximum: [[0.5, 0], [0, 1]].
    # Class 1 is -4 mean(A): nothing is positive. Class 2 reads nothing.
    found = grad_cam(network, torch.zeros(3, 1, 2, 2), torch.tensor([0, 1, 2]))
    assert found.maps.tolist() == [[[0.5, 0.0], [0.0, 1.0]], [[0.0, 0.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 0.0]]]
    assert found.no_evidence.tolist() == [False, True, True]
    assert weighted_sum(features, torch.tensor([[[[1.0]], [[-1.0]]]])).tolist() == [[[1.0, -3.0], [0.0, 2.0]]]


@pytest.mark.parametrize(("scale", "empty"), [(1.0, False), (1e-3, False), (1e-12, True), (0.0, True)])
def test_evidence_that_rounding_has_left_is_no_evidence(scale, empty):
    features = torch.tensor([[[[-5.0, 0.0], [-7.0, scale]]]])
    found = grad_cam(Fixed(features, torch.tensor([[4.0]])), torch.zeros(1, 1, 2, 2), torch.tensor([0]))
    assert found.no_evidence.tolist() == [empty]
    assert found.maps.tolist() == [[[0.0, 0.0], [0.0, 0.0 if empty else 1.0]]]


@pytest.mark.parametrize("layout", [TOKENS, LAST, FIRST])
@pytest.mark.parametrize(("row", "column"), [(0, 0), (0, 5), (5, 0), (5, 5), (1, 4)])
def test_planted_evidence_is_found_where_it_is(layout, row, column):
    images = torch.zeros(1, 1, 48, 48)
    images[..., 8 * row : 8 * row + 8, 8 * column : 8 * column + 8] = 1
    found = grad_cam(Patches(layout), images, torch.tensor([1]))
    peak = divmod(int(found.maps[0].argmax()), 48)
    assert (peak[0] // 8, peak[1] // 8) == (row, column)
    inside = found.maps[0, 8 * row : 8 * row + 8, 8 * column : 8 * column + 8]
    assert inside.min() >= 0.25
    far = found.maps[0].clone()
    far[max(8 * row - 8, 0) : 8 * row + 16, max(8 * column - 8, 0) : 8 * column + 16] = 0
    assert far.max() == 0
    assert grad_cam(Patches(layout), images, torch.tensor([0])).no_evidence.tolist() == [True]


def test_a_trained_network_looks_at_what_it_has_learned():
    torch.manual_seed(0)
    network = create_backbone("two_layer_cnn", channels=1, classes=2, image_size=32)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    corners = [(0, 0), (0, 24), (24, 0), (24, 24)]
    for step in range(60):
        images, bright = 0.3 * torch.randn(16, 1, 32, 32), torch.arange(16) % 2
        for number in range(1, 16, 2):
            top, left = corners[(number // 2 + step) % 4]
            images[number, :, top : top + 8, left : left + 8] += 2
        optimizer.zero_grad()
        F.cross_entropy(network(images), bright).backward()
        optimizer.step()
    for top, left in corners:
        images = 0.3 * torch.randn(1, 1, 32, 32)
        images[..., top : top + 8, left : left + 8] += 2
        found = grad_cam(network, images, torch.tensor([1])).maps[0]
        peak = divmod(int(found.argmax()), 32)
        assert (peak[0] // 16 * 24, peak[1] // 16 * 24) == (top, left)
        assert found[top : top + 8, left : left + 8].mean() > 4 * found.mean()


@pytest.mark.parametrize("name", ["resnet18", "test_vit", "vgg_small"])
def test_the_network_is_left_as_it_was(name):
    network, images = make(name, 64), draw(64)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    with torch.no_grad():
        found = grad_cam(network, images, CLASSES)
    assert network.training
    assert not found.maps.requires_grad
    assert all(parameter.grad is None and parameter.requires_grad for parameter in network.parameters())
    assert all(torch.equal(before[key], value) for key, value in network.state_dict().items())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in network.modules())
    network.eval()
    alone = torch.cat([grad_cam(network, images[k : k + 1], CLASSES[k : k + 1]).maps for k in range(6)])
    torch.testing.assert_close(found.maps, alone, atol=1e-4, rtol=0)
    assert not network.training


@pytest.mark.parametrize(
    ("network", "why"),
    [
        (nn.Linear(2, 2), "Linear has no feature maps to look at: it has no forward_features"),
        (create_segmenter("unet", "resnet18", channels=1, classes=2, image_size=32), "no forward_features"),
        (Fixed(torch.ones(1, 2, 1, 1), torch.ones(2, 3)), "they are 1 × 1 at this size of image"),
    ],
)
def test_a_network_without_maps_is_said_to_have_none(network, why):
    with pytest.raises(ModelError, match=why):
        grad_cam(network, torch.zeros(1, 1, 32, 32), torch.tensor([0]))
    assert network.training


@pytest.mark.parametrize(("name", "why"), [("crossvit_9_240", "class token"), ("pit_ti_224", "class token")])
def test_a_transformer_of_another_build_is_said_to_have_none(name, why):
    size = int(name.rpartition("_")[2])
    network = create_backbone(name, channels=1, classes=2, image_size=size)
    with pytest.raises(ModelError, match=why):
        grad_cam(network, torch.zeros(1, 1, size, size), torch.tensor([0]))
