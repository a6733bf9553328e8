import pytest
import timm
import torch
from torch import nn

from medvision.errors import ModelError
from medvision.models.backbones import create_backbone, head_names
from medvision.models.embedding import Embedder, create_embedder, embed
from medvision.models.segmenters import create_segmenter


def images(channels=1, size=32, count=3):
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, channels, size, size), dtype=torch.uint8, generator=generator)


@pytest.mark.parametrize(
    "name", ["vgg_small", "two_layer_cnn", "test_resnet", "test_vit", "test_efficientnet", "mobilenetv3_small_050"]
)
def test_features_are_what_the_last_layer_is_given(name):
    network = create_backbone(name, channels=1, classes=4, image_size=32)
    network.eval()
    normalised = images().float() / 255
    with torch.no_grad():
        features = embed(network, normalised)
        head = network.get_submodule(head_names(network)[0])
        torch.testing.assert_close(head(features), network(normalised))
    assert Embedder(network, (0.5,), (0.5,)).num_features == features.shape[1] == head.in_features


def test_features_agree_with_a_network_of_timm_without_head():
    torch.manual_seed(1)
    network = create_backbone("test_resnet", channels=3, classes=2, image_size=32)
    bare = timm.create_model("test_resnet", num_classes=0)
    bare.load_state_dict(network.state_dict(), strict=False)
    normalised = images(3).float() / 255
    with torch.no_grad():
        torch.testing.assert_close(embed(network, normalised), bare.eval()(normalised))


def test_a_network_that_only_names_its_head_is_cut_there():
    class Plain(nn.Sequential):
        pretrained_cfg = {"classifier": "3"}  # noqa: RUF012

    network = Plain(nn.Flatten(), nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 2))
    normalised = torch.randn(3, 1, 2, 2)
    torch.testing.assert_close(embed(network, normalised), network[:3](normalised))


def test_of_masks_the_encoder_is_averaged_over_the_image_alone():
    network = create_segmenter("unet", "resnet18", channels=1, classes=2, image_size=64)
    normalised = torch.randn(2, 1, 64, 96)
    network.eval()
    with torch.no_grad():
        torch.testing.assert_close(embed(network, normalised), network.encoder(normalised)[-1].mean(dim=(2, 3)))
    network.encoder = Coordinates()
    # 40 × 33 pixels are padded to 64 × 64: two columns of 32 of them show something of the image, and both rows.
    features = embed(network, torch.ones(1, 1, 40, 33))
    assert features.tolist() == [[pytest.approx((40 * 32 + 40 * 1) / (4 * 32 * 32))]]


class Coordinates(nn.Module):
    """Mean of each patch of 32 × 32 pixels: tells what was padded."""

    def forward(self, padded):
        return [nn.functional.avg_pool2d(padded, 32)]


def test_modes_stay_and_statistics_do_not_move():
    network = create_backbone("vgg_small", channels=1, classes=2, image_size=32)
    network.train()
    network.features[0].eval()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    first, second = (embed(network, images(count=count).float())[:2] for count in (2, 3))
    torch.testing.assert_close(first, second)
    assert network.training
    assert not network.features[0].training
    assert network.features[1].training
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())


def test_an_embedder_normalises_pixels():
    network = create_backbone("two_layer_cnn", channels=3, classes=1, image_size=32)
    embedder = Embedder(network, (0.4, 0.5, 0.6), (0.1, 0.2, 0.3))
    pixels = images(3)
    by_hand = (pixels / 255 - torch.tensor([0.4, 0.5, 0.6]).view(3, 1, 1)) / torch.tensor([0.1, 0.2, 0.3]).view(3, 1, 1)
    features = embedder(pixels)
    torch.testing.assert_close(features, embed(network, by_hand))
    assert features.dtype == torch.float32
    assert not features.requires_grad


def test_autocast_changes_nothing():
    embedder = create_embedder("test_resnet", False, 1, 32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = embedder(images())
    assert torch.equal(mixed, embedder(images()))


def test_the_state_dict_needs_no_weight_file(tmp_path):
    torch.manual_seed(0)
    file = tmp_path / "weights.pt"
    # Norms and statistics as trained weights have them: none still at 0 or 1.
    state = timm.create_model("resnet10t").state_dict()
    torch.save({key: value + 0.1 if value.is_floating_point() else value for key, value in state.items()}, file)
    torch.manual_seed(1)
    embedder = create_embedder("resnet10t", str(file), 3, 32)
    assert embedder.mean.flatten().tolist() == pytest.approx([0.485, 0.456, 0.406])
    restored = create_embedder("resnet10t", False, 3, 32)
    restored.load_state_dict(embedder.state_dict())
    assert torch.equal(restored(images(3)), embedder(images(3)))


def test_nothing_learns():
    embedder = create_embedder("test_vit", False, 1, 32)
    assert not any(parameter.requires_grad for parameter in embedder.parameters())


def test_a_network_without_features_is_told():
    with pytest.raises(ModelError, match="Flatten has no features to take: it does not name its classifier"):
        embed(nn.Flatten(), images().float())
    with pytest.raises(ModelError, match="it does not tell their number"):
        Embedder(nn.Flatten(), (0.5,), (0.5,))
