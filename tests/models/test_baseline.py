import numpy as np
import pytest
import torch

from medvision.errors import ModelError
from medvision.models.baseline import BaselineNetwork
from medvision.models.embedding import create_embedder
from medvision.models.estimators import Estimator
from medvision.models.feature_sets import FeatureSet
from medvision.models.grad_cam import grad_cam


def images(count=6):
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, 1, 16, 16), dtype=torch.uint8, generator=generator)


def create(multilabel=False, embedding=False):
    kinds = ["intensity", "embedding"] if embedding else ["intensity"]
    embedder = create_embedder("two_layer_cnn", False, 1, 16) if embedding else None
    estimator = Estimator("nearest_neighbours", 3, multilabel=multilabel, neighbours=3)
    return BaselineNetwork(FeatureSet(kinds, embedder, 150), estimator)


@pytest.mark.parametrize("multilabel", [False, True])
def test_logits_are_those_of_the_probabilities(multilabel):
    network, pixels = create(multilabel), images()
    targets = np.array([[1, 0, 0], [1, 1, 0], [0, 0, 1], [0, 1, 1], [1, 0, 0], [0, 0, 0]])
    network.estimator.fit(network.features(pixels).numpy(), targets if multilabel else np.arange(6) % 3)
    probabilities = network.probabilities(network.features(pixels))
    logits = network(pixels)
    assert logits.isfinite().all()
    returned = logits.sigmoid() if multilabel else logits.softmax(dim=1)
    # Votes of 0 and 3 of 3 neighbours are not taken for certain.
    assert set(probabilities.unique().tolist()) >= {0.0}
    torch.testing.assert_close(returned, probabilities, atol=4e-6, rtol=0)


def test_before_it_is_fitted_nothing_is_said():
    assert create()(images()).softmax(dim=1).flatten().tolist() == pytest.approx([1 / 3] * 18)


@pytest.mark.parametrize("embedding", [False, True])
def test_the_state_dict_holds_everything(embedding, tmp_path):
    network, pixels = create(embedding=embedding), images()
    empty = network.state_dict()
    network.estimator.fit(network.features(pixels).numpy(), np.arange(6) % 3)
    torch.save(network.state_dict(), tmp_path / "state.pt")
    torch.manual_seed(9)
    restored = create(embedding=embedding)
    restored.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    assert torch.equal(restored(pixels), network(pixels))
    restored.load_state_dict(empty)
    assert not restored.estimator.fitted


def test_there_is_no_map_of_evidence():
    with pytest.raises(ModelError, match="BaselineNetwork has no feature maps"):
        grad_cam(create(), images().float(), torch.zeros(6, dtype=torch.int64))
