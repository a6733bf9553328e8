import numpy as np
import pytest
import torch

from medvision.config import load_experiment
from medvision.errors import ModelError
from medvision.models.embedding import embed
from medvision.models.grad_cam import grad_cam
from medvision.torch_network import TorchNetwork
from medvision.training import build_task

CLASSES = {"classes": ["a", "b"], "mask_classes": [], "train_counts": [3, 3], "train_pixels": []}
MASKS = {"classes": [], "mask_classes": ["background", "disc"], "train_counts": [], "train_pixels": [9, 9]}
DATA = {"multilabel": False, "channels": 1, "image_size": 32, "resize": "letterbox", "train_images": 6}
NETWORKS = {
    "small": ("{task: classification, backbone: two_layer_cnn}", CLASSES),
    "vgg": ("{task: classification, backbone: vgg_small}", CLASSES),
    "timm": ("{task: classification, backbone: test_resnet}", CLASSES),
    "transformer": ("{task: classification, backbone: test_vit}", CLASSES),
    "masks": ("{task: segmentation, encoder: tu-test_resnet}", MASKS),
    "baseline": ("{task: baseline, features: intensity}", CLASSES),
}


def open_network(folder, kind, *options, resize="letterbox"):
    model, data = NETWORKS[kind]
    (folder / "x.yaml").write_text(f"name: x\ndata: {{name: folder, root: images, image_size: 32}}\nmodel: {model}\n")
    experiment = load_experiment([folder / "x.yaml"], list(options))
    return TorchNetwork(build_task(experiment, {**DATA, **data, "resize": resize}), experiment)


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(0, 256, (3, 1, 32, 32), dtype=np.uint8)


@pytest.mark.parametrize("kind", ["small", "vgg", "timm", "transformer"])
def test_what_is_said_is_what_the_task_says(tmp_path, kind, pixels):
    network = open_network(tmp_path, kind)
    said = network.ask(pixels)
    batch = torch.from_numpy(pixels).to(network.device)
    with torch.no_grad():
        expected = network.task.predict_rows(batch)["probabilities"]
        features = embed(network.task.network, network.task.normalise(batch))
    np.testing.assert_allclose(said["probabilities"], expected.float().cpu(), atol=1e-6)
    assert said["probabilities"].dtype == said["features"].dtype == np.float32
    if kind != "vgg":
        np.testing.assert_allclose(said["features"], features.float().cpu(), atol=1e-5)
    assert said["features"].ndim == 2


def test_masks_and_their_features(tmp_path, pixels):
    network = open_network(tmp_path, "masks")
    said = network.ask(pixels)
    assert said["maps"].shape == (3, 2, 32, 32)
    with torch.no_grad():
        features = embed(network.task.network, network.task.normalise(torch.from_numpy(pixels).to(network.device)))
    np.testing.assert_allclose(said["features"], features.float().cpu(), atol=1e-5)


def test_features_are_those_of_all_looks_at_an_image(tmp_path, pixels):
    network = open_network(tmp_path, "small")
    plain, mirrored = (network.ask(some)["features"] for some in (pixels, np.ascontiguousarray(pixels[..., ::-1])))
    network.task.flips = True
    np.testing.assert_allclose(network.ask(pixels)["features"], (plain + mirrored) / 2, atol=1e-6)
    windows = open_network(tmp_path, "masks", resize="none")
    large = np.random.default_rng(0).integers(0, 256, (1, 1, 64, 80), dtype=np.uint8)
    assert windows.ask(large)["features"].shape[0] == 1
    assert windows.ask(large)["maps"].shape == (1, 2, 64, 80)


def test_the_features_of_a_baseline_are_what_its_classifier_is_given(tmp_path, pixels):
    network = open_network(tmp_path, "baseline")
    network.task.network.estimator.fit(np.eye(6, 40), np.array([0, 1] * 3))
    taken = []
    handle = network.task.network.features.register_forward_hook(lambda module, given, found: taken.append(found))
    with torch.no_grad():
        network.task.network.features(torch.from_numpy(pixels))
    handle.remove()
    network.task.network.estimator.fit(np.eye(6, taken[0].shape[1]), np.array([0, 1] * 3))
    np.testing.assert_array_equal(network.ask(pixels)["features"], taken[0])


def test_no_hook_is_left_behind(tmp_path, pixels):
    network = open_network(tmp_path, "timm")
    network.ask(pixels)
    assert not any(module._forward_pre_hooks or module._forward_hooks for module in network.task.network.modules())


def test_evidence_is_grad_cam(tmp_path, pixels):
    network = open_network(tmp_path, "small")
    classes = np.array([0, 1, 1])
    maps, empty = network.evidence(pixels, classes)
    images = network.task.normalise(torch.from_numpy(pixels).to(network.device))
    expected = grad_cam(network.task.network, images, torch.from_numpy(classes).to(network.device))
    np.testing.assert_allclose(maps, expected.maps.cpu(), atol=1e-6)
    assert empty == expected.no_evidence.tolist()
    with pytest.raises((ModelError, IndexError, RuntimeError)):
        network.evidence(pixels, np.array([0, 1, 2]))


@pytest.mark.skipif(torch.cuda.is_available(), reason="what happens without a GPU")
@pytest.mark.parametrize(
    "options", [("--trainer.accelerator=gpu",), ("--trainer.precision=16-mixed",), ("--trainer.devices=2",)]
)
def test_a_run_of_a_gpu_is_asked_without_one(tmp_path, pixels, options):
    network = open_network(tmp_path, "small", *options)
    assert network.device.type == "cpu"
    np.testing.assert_array_equal(
        network.ask(pixels)["probabilities"], open_network(tmp_path, "small").ask(pixels)["probabilities"]
    )


@pytest.mark.parametrize("precision", ["bf16-mixed", "bf16-true", "64-true"])
def test_other_precisions_are_those_of_the_training(tmp_path, pixels, precision):
    usual = open_network(tmp_path, "small").ask(pixels)["probabilities"]
    found = open_network(tmp_path, "small", f"--trainer.precision={precision}").ask(pixels)["probabilities"]
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, usual, atol=1e-6 if precision == "64-true" else 0.02)
    if precision != "64-true":
        assert (found != usual).any()


@pytest.mark.parametrize("precision", ["bf16-true", "64-true"])
def test_evidence_of_weights_in_other_types(tmp_path, pixels, precision):
    classes = np.zeros(len(pixels), np.int64)
    usual, _ = open_network(tmp_path, "small").evidence(pixels, classes)
    found, _ = open_network(tmp_path, "small", f"--trainer.precision={precision}").evidence(pixels, classes)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, usual, atol=1e-5 if precision == "64-true" else 0.1)
