import cv2
import numpy as np
import pytest
import torch

from medvision.models.edge_features import EDGE_NAMES, edge_features
from medvision.models.embedding import create_embedder
from medvision.models.feature_sets import FeatureSet
from medvision.models.texture_features import HOG_NAMES, INTENSITY_NAMES, hog_features, intensity_features


def images(channels=1):
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (3, channels, 32, 32), dtype=torch.uint8, generator=generator)


def test_kinds_stand_in_the_order_asked_for():
    features = FeatureSet(["intensity", "edges", "hog"], None, 120)
    pixels = images()
    assert features.measured == [*INTENSITY_NAMES, *EDGE_NAMES, *HOG_NAMES]
    grey = pixels[1, 0].numpy()
    by_hand = np.concatenate([intensity_features(grey), edge_features(grey, 120), hog_features(grey)])
    np.testing.assert_allclose(features(pixels)[1], by_hand, rtol=1e-6)
    assert features(pixels).dtype == torch.float32


def test_names_are_told_apart():
    names = FeatureSet(["edges", "intensity", "hog"], None, 150).measured
    assert len(names) == len(set(names))


def test_features_of_a_network_come_behind_the_measurements():
    embedder = create_embedder("two_layer_cnn", False, 3, 32)
    features = FeatureSet(["embedding", "edges"], embedder, 150)
    pixels = images(3)
    found = features(pixels)
    assert found.shape == (3, len(EDGE_NAMES) + 32)
    assert torch.equal(found[:, len(EDGE_NAMES) :], embedder(pixels))
    assert torch.equal(features.measure(pixels), found[:, : len(EDGE_NAMES)])
    assert torch.equal(FeatureSet(["embedding"], embedder, 150)(pixels), embedder(pixels))


def test_of_colours_the_luminance_is_measured():
    pixels = images(3)
    features = FeatureSet(["intensity"], None, 150)
    grey = cv2.cvtColor(pixels[0].permute(1, 2, 0).numpy(), cv2.COLOR_RGB2GRAY)
    assert features(pixels)[0, 0] == pytest.approx(grey.mean(), rel=1e-6)
    assert grey.mean() == pytest.approx(
        (pixels[0].float().mean(dim=(1, 2)) @ torch.tensor([0.299, 0.587, 0.114])).item(), abs=1
    )
    same = images().expand(-1, 3, -1, -1)
    assert torch.equal(features(same), features(images()))
