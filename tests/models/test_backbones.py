import socket
import time

import pytest
import timm
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from medvision.errors import ModelError
from medvision.models import weights
from medvision.models.backbones import create_backbone, head_names, normalisation


def make(name, channels=1, classes=3, image_size=32, **more):
    return create_backbone(name, channels=channels, classes=classes, image_size=image_size, **more)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", ["vgg_small", "two_layer_cnn", "resnet18", "mobilenetv3_small_050"])
def test_networks_give_logits(name, channels):
    network = make(name, channels).eval()
    images = torch.randn(2, channels, 32, 32)
    logits = network(images)
    assert logits.shape == (2, 3)
    again = network.forward_head(network.forward_features(images))
    assert torch.allclose(logits, again)
    assert network.forward_head(network.forward_features(images), pre_logits=True).shape[0] == 2
    assert all(name in dict(network.named_modules()) for name in head_names(network))


def test_a_network_for_one_size_is_built_for_ours():
    assert make("vit_tiny_patch16_224", image_size=64)(torch.randn(1, 1, 64, 64)).shape == (1, 3)


def test_small_networks_are_small():
    count = {name: sum(p.numel() for p in make(name).parameters()) for name in ("vgg_small", "two_layer_cnn")}
    assert 1_000_000 < count["vgg_small"] < 1_300_000
    assert count["two_layer_cnn"] < 6_000


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("resnet81", "did you mean 'resnet"),
        ("vgg_smal", "'vgg_small'"),
        ("resnet18.imagenet9k", "no network 'resnet18.imagenet9k'"),
        ("xyzzy", "timm.list_models"),
    ],
)
def test_unknown_names_get_suggestions(name, words):
    with pytest.raises(ModelError, match=words):
        make(name)


def test_no_network_and_no_cached_weights_is_said_at_once(monkeypatch):
    def refuse(address, timeout):
        raise OSError("unreachable")

    monkeypatch.setattr(weights, "try_to_load_from_cache", lambda *a, **k: None)
    monkeypatch.setattr(socket, "create_connection", refuse)
    start = time.perf_counter()
    with pytest.raises(ModelError, match="no network and no cached weights for resnet18.*pretrained: false"):
        make("resnet18", pretrained=True)
    assert time.perf_counter() - start < 20, "timm's own retries take three quarters of a minute"


def test_a_failed_download_is_one_line(monkeypatch):
    def fail(*args, pretrained=False, **kwargs):
        raise FileNotFoundError("the hub answers 403\nand more")

    monkeypatch.setattr("medvision.models.backbones.require_hub_weights", lambda name, cfg: None)
    monkeypatch.setattr("timm.create_model", fail)
    with pytest.raises(ModelError, match=r"weights of resnet18 cannot be fetched \(the hub answers 403\); give a file"):
        make("resnet18", pretrained=True)


def test_cached_weights_need_no_network(monkeypatch):
    monkeypatch.setattr(weights, "try_to_load_from_cache", lambda repository, file: f"/cache/{repository}/{file}")
    monkeypatch.setattr(weights, "_reachable", lambda: pytest.fail("the network was asked"))
    weights.require_hub_weights("resnet18", timm.get_pretrained_cfg("resnet18"))


def test_offline_mode_of_the_hub_is_honoured(monkeypatch):
    monkeypatch.setattr(weights, "try_to_load_from_cache", lambda *a, **k: None)
    monkeypatch.setattr(weights.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(weights, "_reachable", lambda: pytest.fail("the network was asked"))
    with pytest.raises(ModelError, match="no cached weights for resnet18"):
        make("resnet18", pretrained=True)


def test_a_size_that_the_network_cannot_take_is_one_line():
    with pytest.raises(ModelError, match="nest_tiny refuses its settings at data.image_size 200: First level"):
        make("nest_tiny", image_size=200)


def test_networks_without_published_weights_say_so():
    with pytest.raises(ModelError, match="vgg_small has no published weights"):
        make("vgg_small", pretrained=True)


@pytest.fixture(scope="module")
def resnet_file(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    network = create_backbone("resnet18", channels=3, classes=1000, image_size=32)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.01 * torch.randn_like(parameter))
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
    save_file(network.state_dict(), folder / "resnet18.safetensors")
    torch.save(network.state_dict(), folder / "resnet18.pth")
    return folder, network.state_dict()


@pytest.mark.parametrize("suffix", ["safetensors", "pth"])
def test_a_weight_file_is_loaded_and_adapted_to_channels_and_classes(resnet_file, suffix):
    folder, state = resnet_file
    colour = make("resnet18", channels=3, pretrained=str(folder / f"resnet18.{suffix}")).state_dict()
    assert torch.equal(colour["layer4.1.conv2.weight"], state["layer4.1.conv2.weight"])
    assert torch.equal(colour["bn1.running_mean"], state["bn1.running_mean"])
    assert colour["fc.weight"].shape == (3, 512)
    grey = make("resnet18", channels=1, pretrained=str(folder / f"resnet18.{suffix}")).state_dict()
    assert torch.allclose(grey["conv1.weight"], state["conv1.weight"].sum(dim=1, keepdim=True), atol=1e-6)


def test_the_new_head_follows_the_seed(resnet_file):
    folder, _ = resnet_file
    heads = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        heads.append(make("resnet18", pretrained=str(folder / "resnet18.pth")).fc.weight)
    assert torch.equal(heads[0], heads[1])
    assert not torch.equal(heads[0], heads[2])


def test_a_file_of_another_network_is_refused_with_counts(resnet_file, tmp_path):
    folder, state = resnet_file
    foreign = {f"other.{name}": tensor for name, tensor in state.items()}
    save_file(foreign, tmp_path / "foreign.safetensors")
    match = (
        r"does not fit resnet18: 0 of 100 tensors were taken, not conv1.weight, .* and 97 more; the file has other\."
    )
    with pytest.raises(ModelError, match=match):
        make("resnet18", channels=3, pretrained=str(tmp_path / "foreign.safetensors"))
    with pytest.raises(ModelError, match="does not fit"):
        make("resnet34", channels=3, pretrained=str(folder / "resnet18.safetensors"))
    with pytest.raises(ModelError, match=r"layer1.0.conv1.weight is \(64, 64, 3, 3\), not \(64, 64, 1, 1\)"):
        make("resnet50", channels=3, pretrained=str(folder / "resnet18.safetensors"))


@pytest.mark.parametrize("lost", ["conv1.", "layer4.1."])
@pytest.mark.parametrize("classes", [3, 1000])
def test_a_file_that_leaves_a_layer_random_is_refused(resnet_file, tmp_path, lost, classes):
    _, state = resnet_file
    save_file(
        {name: tensor for name, tensor in state.items() if not name.startswith(lost)}, tmp_path / "part.safetensors"
    )
    with pytest.raises(ModelError, match=f"of 100 tensors were taken, not {lost}"):
        make("resnet18", channels=3, classes=classes, pretrained=str(tmp_path / "part.safetensors"))


@pytest.mark.parametrize("wrapper", ["state_dict", "model"])
def test_a_state_dict_within_a_training_file_is_found(resnet_file, tmp_path, wrapper):
    _, state = resnet_file
    torch.save({"epoch": 3, wrapper: {f"module.{name}": tensor for name, tensor in state.items()}}, tmp_path / "w.pth")
    loaded = make("resnet18", channels=3, pretrained=str(tmp_path / "w.pth")).state_dict()
    assert torch.equal(loaded["conv1.weight"], state["conv1.weight"])


class Code:
    def __reduce__(self):
        return (print, ("code of a weight file must never run",))


def test_a_file_with_code_is_refused(tmp_path, capsys):
    torch.save({"state_dict": Code()}, tmp_path / "code.pth")
    with pytest.raises(ModelError, match="cannot be read as weights"):
        make("resnet18", pretrained=str(tmp_path / "code.pth"))
    assert "must never run" not in capsys.readouterr().out


@pytest.mark.parametrize("content", [b"", b"no weights at all"])
def test_a_file_that_holds_no_weights_is_refused(tmp_path, content):
    for suffix in ("pth", "safetensors"):
        (tmp_path / f"weights.{suffix}").write_bytes(content)
        with pytest.raises(ModelError, match="cannot be read as weights"):
            make("resnet18", pretrained=str(tmp_path / f"weights.{suffix}"))
    with pytest.raises(ModelError, match="no such file"):
        make("resnet18", pretrained=str(tmp_path / "absent.pth"))


def test_a_small_network_takes_its_own_weights(tmp_path):
    first = make("vgg_small", classes=5)
    torch.save(first.state_dict(), tmp_path / "vgg.pth")
    second = make("vgg_small", classes=2, pretrained=str(tmp_path / "vgg.pth"))
    assert torch.equal(first.features[0][0].weight, second.features[0][0].weight)
    with pytest.raises(ModelError, match="does not fit two_layer_cnn: 0 of 4 tensors were taken, not features"):
        make("two_layer_cnn", pretrained=str(tmp_path / "vgg.pth"))


def test_normalisation_is_that_of_the_weights():
    network = make("tf_efficientnet_lite0", channels=3)
    assert normalisation(network, 3, True) == ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    resnet = make("resnet18", channels=1)
    (mean,), (std,) = normalisation(resnet, 1, "file.pth")
    assert (mean, std) == pytest.approx((0.449, 0.226), abs=1e-3)
    assert normalisation(resnet, 1, False) == ((0.5,), (0.5,))


def test_real_weights(medvision_data):
    file = medvision_data / "weights" / "tf_efficientnet_lite0.safetensors"
    if not file.is_file():
        pytest.skip(f"real weights: {file} is absent")
    network = create_backbone("tf_efficientnet_lite0", channels=1, classes=2, image_size=64, pretrained=str(file))
    published, ours = load_file(file), network.state_dict()
    assert torch.allclose(ours["conv_stem.weight"], published["conv_stem.weight"].sum(dim=1, keepdim=True), atol=1e-6)
    assert torch.equal(ours["conv_head.weight"], published["conv_head.weight"])
    assert normalisation(network, 1, str(file)) == ((0.5,), (0.5,))
    assert network.eval()(torch.randn(1, 1, 64, 64)).shape == (1, 2)
