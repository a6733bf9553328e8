"""Features of a drawn data set: right, kept, and forgotten when pixels or weights change."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from medvision import training
from medvision.config import load_experiment
from medvision.errors import ConfigError, DataError
from medvision.features import features_file, frozen_embedder, image_features, network_digest, task_embedder
from medvision.models.backbones import create_backbone
from tests.kinds import KINDS, write_experiment


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_experiment(tmp_path_factory.mktemp("features"), KINDS["classification"])


@pytest.fixture
def experiment(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("MEDVISION_CACHE", str(tmp_path / "cache"))
    return load_experiment([str(folder / "discs.yaml")], [])


@pytest.fixture
def datamodule(experiment):
    return training.build_datamodule(experiment)


@pytest.fixture
def embedder(experiment, datamodule):
    return frozen_embedder(experiment, datamodule, "two_layer_cnn", False)


def kept():
    from medvision.data.cache import cache_folder

    return sorted(cache_folder().glob("features-*.npy"))


def test_every_image_has_its_features(datamodule, embedder):
    features = image_features(datamodule, embedder)
    assert (features.shape, features.dtype) == ((len(datamodule.image_table), 32), np.float32)
    image = torch.from_numpy(np.array(datamodule.pixels[11]))[None, None]
    network = embedder.network
    maps = network.forward_features((image.float() / 255 - embedder.mean) / embedder.std)
    assert features[11] == pytest.approx(maps.mean(dim=(2, 3))[0].detach().numpy(), abs=1e-5)


def test_features_are_kept_and_read_again(datamodule, embedder, monkeypatch):
    before = image_features(datamodule, embedder)
    assert kept() == [features_file(datamodule, embedder)]

    def refuse(images):
        raise AssertionError("computed again")

    monkeypatch.setattr(embedder, "forward", refuse)
    assert (image_features(datamodule, embedder) == before).all()
    with pytest.raises(AssertionError, match="computed again"):
        image_features(datamodule, embedder, cached=False)


def test_nothing_is_kept_that_was_not_asked_for(datamodule, embedder):
    image_features(datamodule, embedder, cached=False)
    assert kept() == []


def test_the_head_decides_nothing_and_all_else_does(experiment, datamodule, embedder):
    digest = network_digest(embedder)
    with torch.no_grad():
        embedder.network.classifier.weight.add_(1)
    assert network_digest(embedder) == digest
    with torch.no_grad():
        embedder.network.features[0][0].weight.mul_(1.001)
    assert network_digest(embedder) != digest
    again = frozen_embedder(experiment, datamodule, "two_layer_cnn", False)
    assert network_digest(again) == digest
    again.mean.add_(0.1)
    assert network_digest(again) != digest


def test_other_images_have_other_features(experiment, datamodule, embedder, folder):
    larger = training.build_datamodule(load_experiment([str(folder / "discs.yaml")], ["--data.image_size=48"]))
    assert features_file(larger, embedder) != features_file(datamodule, embedder)
    again = training.build_datamodule(load_experiment([str(folder / "discs.yaml")], ["--seed=9"]))
    assert features_file(again, embedder) == features_file(datamodule, embedder)
    again.inspection.digests[0] = "another content"
    assert features_file(again, embedder) != features_file(datamodule, embedder)


def test_random_weights_are_those_of_the_seed(experiment, datamodule, embedder):
    state = torch.get_rng_state()
    other = frozen_embedder(experiment.model_copy(update={"seed": 99}), datamodule, "two_layer_cnn", False)
    assert network_digest(other) != network_digest(embedder)
    assert torch.equal(torch.get_rng_state(), state)


def test_the_weights_of_a_file_are_used(experiment, datamodule, tmp_path):
    torch.manual_seed(5)
    network = create_backbone("two_layer_cnn", channels=1, classes=2, image_size=32)
    save_file(network.state_dict(), tmp_path / "weights.safetensors")
    found = frozen_embedder(experiment, datamodule, "two_layer_cnn", str(tmp_path / "weights.safetensors"))
    assert torch.equal(found.network.features[0][0].weight, network.features[0][0].weight)


def test_weights_must_be_named(experiment, datamodule):
    for backbone in (None, "resnet18"):
        with pytest.raises(ConfigError, match="give --pretrained FILE, or --pretrained true"):
            frozen_embedder(experiment, datamodule, backbone, None)
    nameless = experiment.model_copy(update={"model": {"task": "baseline"}})
    with pytest.raises(ConfigError, match="name one with --backbone"):
        frozen_embedder(nameless, datamodule, None, True)


def test_a_task_gives_its_own_features(experiment, datamodule):
    task = training.build_task(experiment, datamodule.summary())
    features = image_features(datamodule, task_embedder(task))
    image = torch.from_numpy(np.array(datamodule.pixels[3]))[None, None]
    task.eval()
    with torch.no_grad():
        logits = task(image)
        assert task.network.classifier(torch.from_numpy(features[3:4])) == pytest.approx(logits.numpy(), abs=1e-5)


def test_numbers_that_are_not_finite_are_refused(datamodule, embedder):
    with torch.no_grad():
        embedder.network.features[0][0].weight.fill_(float("nan"))
    with pytest.raises(DataError, match="36 images have features that are not finite"):
        image_features(datamodule, embedder)
    assert kept() == []


def test_a_cache_that_cannot_be_written_is_told(datamodule, embedder, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MEDVISION_CACHE", str(tmp_path / "file"))
    with pytest.raises(DataError, match="set MEDVISION_CACHE to another folder"):
        image_features(datamodule, embedder)
