import copy
import pickle
import socket
import time
from pathlib import Path

import pytest
import segmentation_models_pytorch as smp
import timm
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from medvision.config.settings import OptimizerSettings
from medvision.errors import ModelError
from medvision.models import weights
from medvision.models.backbones import create_backbone, normalisation
from medvision.models.layers import parameter_groups, set_trainable
from medvision.models.segmenters import ARCHITECTURES, create_segmenter


def make(architecture="unet", encoder="resnet18", channels=1, classes=3, image_size=64, **more):
    return create_segmenter(architecture, encoder, channels=channels, classes=classes, image_size=image_size, **more)


@pytest.mark.parametrize("encoder", ["resnet18", "tu-resnet18"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_architecture_takes_every_size(architecture, encoder):
    network = make(architecture, encoder, label_classes=2)
    assert network.training
    for height, width in ((64, 64), (45, 75)):
        maps, logits = network(torch.randn(2, 1, height, width))
        assert maps.shape == (2, 3, height, width)
        assert logits.shape == (2, 2)
    (maps.mean() + logits.mean()).backward()
    without = [name for name, parameter in network.named_parameters() if parameter.grad is None]
    assert without == [], "several devices would wait for the gradients of these"


def test_these_are_the_architectures_of_smp_for_encoders_of_maps():
    assert set(ARCHITECTURES) == set(smp.MODEL_ARCHITECTURES_MAPPING) - {"dpt"}


def test_it_is_the_network_of_smp():
    network = make("unetplusplus", channels=3).eval()
    reference = smp.create_model("unetplusplus", "resnet18", encoder_weights=None, in_channels=3, classes=3).eval()
    assert reference.load_state_dict(network.state_dict()) == nn.modules.module._IncompatibleKeys([], [])
    images = torch.randn(2, 3, 64, 96)
    with torch.no_grad():
        assert torch.equal(network(images), reference(images))


def test_padding_is_below_and_to_the_right():
    network = make("fpn").eval()
    images = torch.zeros(1, 1, 64, 64)
    images[..., :50, :60] = torch.randn(50, 60)
    with torch.no_grad():
        assert torch.equal(network(images[..., :50, :60]), network(images)[..., :50, :60])


def test_without_labels_there_is_no_second_head():
    network = make()
    assert network.label_classes == 0
    assert network(torch.randn(2, 1, 32, 32)).shape == (2, 3, 32, 32)
    assert not any("classification" in name for name, _ in network.named_parameters())
    assert make(label_classes=4, dropout=0.3).classification_head[2].p == 0.3


def test_it_can_be_copied_and_kept():
    network = copy.deepcopy(pickle.loads(pickle.dumps(make("linknet")))).eval()
    assert network(torch.randn(1, 1, 40, 40)).shape == (1, 3, 40, 40)


@pytest.mark.parametrize(
    ("architecture", "encoder", "words"),
    [
        ("unett", "resnet18", r"model.architecture: no architecture 'unett'; did you mean 'unet'\?"),
        ("dpt", "resnet18", "no architecture 'dpt'; .*unet"),
        ("xyzzy", "resnet18", "there are unet, unetplusplus, .*, segformer"),
        ("unet", "resnet81", "model.encoder: no encoder 'resnet81'; did you mean 'resnet18'"),
        ("unet", "convnext_atto", r"no encoder 'convnext_atto'; did you mean 'tu-convnext_atto'\?"),
        ("unet", "resnet18.a1_in1k", r"did you mean 'tu-resnet18.a1_in1k'\?"),
        ("unet", "tu-convnext_ato", "did you mean 'tu-convnext_atto'"),
        ("unet", "tu-resnet18.imagenet9k", "no encoder 'tu-resnet18.imagenet9k'"),
        ("unet", "timm-mobilenetv3_small_100", "did you mean 'tu-mobilenetv3_small_100'"),
        ("unet", "timm-efficientnet-b0", "did you mean 'tu-"),
        ("unet", "@", "timm.list_models"),
        (
            "unet",
            "tu-vit_tiny_patch16_224",
            "tu-vit_tiny_patch16_224 does not fit unet: Unsupported model downsampling",
        ),
        ("unetplusplus", "mit_b0", "model.encoder: mit_b0 does not fit unetplusplus: "),
        ("fpn", "tu-inception_v4", "tu-inception_v4 does not fit fpn: "),
        ("pan", "tu-densenet121", "tu-densenet121 does not fit pan: .*; pan needs an encoder that can be dilated"),
        ("deeplabv3plus", "vgg11", "vgg11 does not fit deeplabv3plus: .*; deeplabv3plus needs an encoder that can be"),
    ],
)
def test_what_does_not_fit_is_one_line(architecture, encoder, words):
    with pytest.raises(ModelError, match=words) as caught:
        make(architecture, encoder)
    assert "\n" not in str(caught.value)


def test_encoders_for_one_size_are_built_for_ours():
    network = make("fpn", "tu-swin_tiny_patch4_window7_224", image_size=90).eval()
    assert network(torch.randn(1, 1, 90, 90)).shape == (1, 3, 90, 90)
    with pytest.raises(ModelError, match="built for images of 96 pixels, not 97; write `data.image_size: 97`"):
        network(torch.randn(1, 1, 90, 97))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_batch_of_one_is_learned_from_or_refused_in_our_words(architecture):
    network, image = make(architecture), torch.randn(1, 1, 64, 64)
    if architecture in ("deeplabv3", "deeplabv3plus", "pan", "upernet"):
        with pytest.raises(ModelError, match="data.batch_size: .* cannot learn from one; write 2 or more"):
            network(image)
    else:
        assert network(image).shape == (1, 3, 64, 64)
    assert network.eval()(image).shape == (1, 3, 64, 64)


# Weights


def shake(network):
    """No tensor stays a constant, as none does in training."""
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.01 * torch.randn_like(parameter))
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
    return network.state_dict()


@pytest.fixture(scope="module")
def resnet_file(tmp_path_factory):
    """All tensors of a ResNet-18 with three channels and 1000 classes, as torchvision and timm call them."""
    file = tmp_path_factory.mktemp("weights") / "resnet18.safetensors"
    state = shake(timm.create_model("resnet18"))
    save_file(state, file)
    return str(file), state


@pytest.mark.parametrize("architecture", ["unet", "deeplabv3plus"])
@pytest.mark.parametrize(("encoder", "prefix"), [("resnet18", "encoder."), ("tu-resnet18", "encoder.model.")])
def test_a_weight_file_fills_the_encoder(resnet_file, architecture, encoder, prefix):
    file, state = resnet_file
    for channels in (1, 3):
        ours = make(architecture, encoder, channels=channels, pretrained=file).state_dict()
        first = state["conv1.weight"].sum(dim=1, keepdim=True) if channels == 1 else state["conv1.weight"]
        assert torch.allclose(ours[f"{prefix}conv1.weight"], first, atol=1e-6)
        names = [name.removeprefix(prefix) for name in ours if name.startswith(prefix)]
        assert len(names) > 100
        assert all(torch.equal(ours[prefix + name], state[name]) for name in names if name != "conv1.weight")


def test_the_decoder_follows_the_seed_and_the_encoder_the_file(resnet_file):
    heads = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        network = make("unet", "tu-resnet18", pretrained=resnet_file[0])
        heads.append(network.segmentation_head[0].weight)
    assert torch.equal(heads[0], heads[1])
    assert not torch.equal(heads[0], heads[2])


def test_names_that_timm_flattens_are_found(tmp_path):
    file = str(tmp_path / "convnext.safetensors")
    state = shake(timm.create_model("convnext_atto"))
    save_file(state, file)
    ours = make("unet", "tu-convnext_atto", channels=3, pretrained=file).state_dict()
    name = "blocks.1.mlp.fc1.weight"
    assert torch.equal(ours[f"encoder.model.stages_2.{name}"], state[f"stages.2.{name}"])
    state["stages.2.blocks.1.norm.weight"] = torch.ones(7)
    save_file(state, file)
    with pytest.raises(ModelError, match=r"stages.2.blocks.1.norm.weight is \(7,\), not \(160,\)"):
        make("unet", "tu-convnext_atto", channels=3, pretrained=file)


@pytest.mark.parametrize("encoder", ["resnet18", "tu-resnet18"])
def test_a_file_that_leaves_a_layer_random_is_refused(resnet_file, tmp_path, encoder):
    _, state = resnet_file
    file = str(tmp_path / "part.safetensors")
    save_file({name: tensor for name, tensor in state.items() if not name.startswith("layer3.1.")}, file)
    with pytest.raises(ModelError, match=rf"does not fit {encoder}: 90 of 100 tensors were taken, not layer3\.1\."):
        make("unet", encoder, pretrained=file)
    save_file({f"other.{name}": tensor for name, tensor in state.items()}, file)
    with pytest.raises(ModelError, match=r"0 of 100 tensors were taken, .*; the file has other\."):
        make("unet", encoder, pretrained=file)
    with pytest.raises(ModelError, match="no such file"):
        make("unet", encoder, pretrained=str(tmp_path / "absent.pth"))


@pytest.mark.parametrize("encoder", ["resnet50", "tu-resnet50"])
def test_a_file_of_another_network_is_refused(resnet_file, encoder):
    with pytest.raises(ModelError, match=r"layer1.0.conv1.weight is \(64, 64, 3, 3\), not \(64, 64, 1, 1\)"):
        make("unet", encoder, pretrained=resnet_file[0])


def test_real_weights(medvision_data):
    file = medvision_data / "weights" / "tf_efficientnet_lite0.safetensors"
    if not file.is_file():
        pytest.skip(f"real weights: {file} is absent")
    network = make("unet", "tu-tf_efficientnet_lite0", pretrained=str(file))
    published, ours = load_file(file), network.encoder.model.state_dict()
    assert torch.allclose(ours["conv_stem.weight"], published["conv_stem.weight"].sum(dim=1, keepdim=True), atol=1e-6)
    assert all(torch.equal(ours[name], published[name]) for name in ours if name != "conv_stem.weight")
    assert normalisation(network, 1, str(file)) == ((0.5,), (0.5,))
    # The same features as the whole network with the same weights.
    whole = create_backbone("tf_efficientnet_lite0", channels=1, classes=2, image_size=64, pretrained=str(file)).eval()
    images = torch.randn(1, 1, 64, 64)
    with torch.no_grad():
        expected = whole.blocks(whole.bn1(whole.conv_stem(images)))
        assert torch.allclose(network.eval().encoder(images)[-1], expected, atol=1e-5)


@pytest.mark.parametrize("encoder", ["resnet18", "tu-resnet18"])
def test_no_network_and_no_cached_weights_is_said_at_once(monkeypatch, encoder):
    def refuse(address, timeout):
        raise OSError("unreachable")

    monkeypatch.setattr(weights, "try_to_load_from_cache", lambda *a, **k: None)
    monkeypatch.setattr(socket, "create_connection", refuse)
    start = time.perf_counter()
    with pytest.raises(ModelError, match=f"no network and no cached weights for {encoder}; .*pretrained: false"):
        make("unet", encoder, pretrained=True)
    assert time.perf_counter() - start < 20


def test_cached_weights_of_smp_need_no_network(monkeypatch):
    asked = []

    def find(repository, file, revision):
        asked.append((repository, file))
        return f"/cache/{file}"

    monkeypatch.setattr(weights, "try_to_load_from_cache", find)
    monkeypatch.setattr(weights, "_reachable", lambda: pytest.fail("the network was asked"))
    weights.require_hub_revision("resnet18", "smp-hub/resnet18.imagenet", "abc")
    assert asked == [("smp-hub/resnet18.imagenet", "config.json"), ("smp-hub/resnet18.imagenet", "model.safetensors")]


def test_a_failed_download_is_one_line(monkeypatch):
    def fail(*args, encoder_weights=None, **kwargs):
        assert encoder_weights == "imagenet"
        raise FileNotFoundError("the hub answers 403\nand more")

    monkeypatch.setattr("medvision.models.segmenters.require_hub_revision", lambda *a: None)
    monkeypatch.setattr("segmentation_models_pytorch.create_model", fail)
    with pytest.raises(ModelError, match=r"weights of resnet18 cannot be fetched \(the hub answers 403\); give a file"):
        make(pretrained=True)


def test_published_weights_of_smp_come_with_their_normalisation(monkeypatch, resnet_file):
    """The hub is replaced by its cache: a folder with the two files."""
    file, state = resnet_file
    config = Path(file).with_name("config.json")
    config.write_text('{"mean": [0.1, 0.2, 0.6], "std": [0.4, 0.5, 0.6]}')
    files = {"config.json": str(config), "model.safetensors": file}
    monkeypatch.setattr("medvision.models.segmenters.require_hub_revision", lambda *a: None)
    monkeypatch.setattr(smp.encoders, "hf_hub_download", lambda repo_id, filename, revision: files[filename])
    network = make(pretrained=True)
    assert normalisation(network, 1, True) == (pytest.approx((0.3,)), pytest.approx((0.5,)))
    ours = network.encoder.state_dict()
    assert torch.allclose(ours["conv1.weight"], state["conv1.weight"].sum(dim=1, keepdim=True), atol=1e-6)
    assert torch.equal(ours["layer4.1.conv2.weight"], state["layer4.1.conv2.weight"])


def test_normalisation_is_that_of_the_weights():
    assert normalisation(make("unet", "tu-tf_efficientnet_lite0"), 3, True) == ((0.5,) * 3, (0.5,) * 3)
    for encoder in ("resnet18", "tu-resnet18"):
        network = make("unet", encoder)
        (mean,), (std,) = normalisation(network, 1, "file.pth")
        assert (mean, std) == pytest.approx((0.449, 0.226), abs=1e-3)
        assert normalisation(network, 1, False) == ((0.5,), (0.5,))


# What learns


def learning(network):
    return {name.partition(".")[0] for name, parameter in network.named_parameters() if parameter.requires_grad}


@pytest.mark.parametrize("encoder", ["resnet18", "tu-resnet18"])
def test_the_decoder_learns_alone(encoder):
    network = make("unet", encoder, label_classes=2)
    set_trainable(network, "decoder")
    assert learning(network) == {"decoder", "segmentation_head", "classification_head"}
    before = {name: value.clone() for name, value in network.state_dict().items()}
    network.train()(torch.randn(4, 1, 64, 64) * 5)
    moved = {name for name, value in network.state_dict().items() if not torch.equal(before[name], value)}
    assert moved
    assert all(name.startswith("decoder.") and not name.endswith(("weight", "bias")) for name in moved)


def test_parts_learn_by_name():
    network = make()
    set_trainable(network, ["encoder.layer4", "decoder", "segmentation_head"])
    assert learning(network) == {"encoder", "decoder", "segmentation_head"}
    assert not any(parameter.requires_grad for parameter in network.encoder.layer3.parameters())
    with pytest.raises(ModelError, match="no part 'decodr'; did you mean 'decoder'?.*its parts: encoder, decoder, seg"):
        set_trainable(make(), ["decodr"])


def rates(network):
    groups = parameter_groups(network, OptimizerSettings(lr=1.0, layer_decay=0.5))
    rate = {id(parameter): group["lr"] for group in groups for parameter in group["params"]}
    return {name: rate[id(parameter)] for name, parameter in network.named_parameters()}


@pytest.mark.parametrize("encoder", ["resnet18", "tu-resnet18", "tu-convnext_atto", "tu-tf_efficientnet_lite0"])
def test_layers_are_those_of_timm(encoder):
    """timm's own order of the layers of the whole network is the reference; its last layer is the head."""
    plain = encoder.removeprefix("tu-")
    whole = create_backbone(plain, channels=1, classes=2, image_size=64)
    expected, found = rates(whole), rates(make("unet", encoder))
    prefix = "encoder.model." if encoder.startswith("tu-") else "encoder."
    blocks = 0
    for name, rate in expected.items():
        ours = prefix + (name.replace("stages.", "stages_", 1) if "convnext" in plain else name)
        if ours in found:
            assert found[ours] == rate, name
            blocks += 1
    assert blocks > 0.8 * len([name for name in found if name.startswith("encoder")])


@pytest.mark.parametrize(
    ("encoder", "layers"),
    [
        ("vgg11", 8),
        ("tu-vgg11", 8),
        ("densenet121", 8),
        ("mit_b0", 12),
        ("efficientnet-b0", 17),
        ("tu-regnety_002", 14),
        ("tu-swin_tiny_patch4_window7_224", 13),
    ],
)
def test_layer_decay_lowers_the_learning_rate_towards_the_input(encoder, layers):
    found = rates(make("fpn", encoder))
    of_encoder = [rate for name, rate in found.items() if name.startswith("encoder.")]
    assert of_encoder == sorted(of_encoder)
    assert len(set(of_encoder)) == layers
    assert max(of_encoder) == 0.5
    assert {rate for name, rate in found.items() if not name.startswith("encoder.")} == {1.0}


def test_position_tables_are_not_decayed():
    network = make("fpn", "tu-swin_tiny_patch4_window7_224")
    tables = [name for name, _ in network.named_parameters() if name.endswith("relative_position_bias_table")]
    assert len(tables) == 12
    assert network.no_weight_decay() == set(tables)
