import copy
import pickle

import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from torch import nn

from medvision.config.settings import OptimizerSettings
from medvision.errors import ModelError
from medvision.models.backbones import create_backbone
from medvision.models.layers import parameter_groups, set_trainable
from medvision.tasks.optimization import create_optimizer


def network(name="resnet18"):
    return create_backbone(name, channels=1, classes=2, image_size=32)


def learning(model) -> set[str]:
    return {name.partition(".")[0] for name, parameter in model.named_parameters() if parameter.requires_grad}


@pytest.mark.parametrize(
    ("trainable", "parts"),
    [
        ("head", {"fc"}),
        (["layer2", "layer3", "layer4", "fc"], {"layer2", "layer3", "layer4", "fc"}),
        ("all", {"conv1", "bn1", "layer1", "layer2", "layer3", "layer4", "fc"}),
    ],
)
def test_only_the_named_parts_learn(trainable, parts):
    model = network()
    set_trainable(model, trainable)
    assert learning(model) == parts


def test_an_unknown_part_is_refused_with_the_parts_there_are():
    with pytest.raises(ModelError, match="no part 'layr4'; did you mean 'layer4'?.*its parts: conv1"):
        set_trainable(network(), ["layr4", "fc"])


@pytest.mark.parametrize(("trainable", "words"), [([], "an empty list"), (["maxpool"], "maxpool")])
def test_nothing_to_learn_is_refused(trainable, words):
    with pytest.raises(ModelError, match=f"{words} leaves nothing to learn; parts with weights: conv1, bn1, layer1"):
        set_trainable(network(), trainable)


class Fitted(LightningModule):
    """A half-frozen network, trained without any care for its batch norms."""

    def __init__(self) -> None:
        super().__init__()
        self.network = network()
        set_trainable(self.network, ["layer4", "fc"])

    def training_step(self, batch, batch_idx):
        return self.network(batch).square().mean()

    def validation_step(self, batch, batch_idx):
        self.network(batch)

    def configure_optimizers(self):
        return create_optimizer(self.network, OptimizerSettings())


class Loader:
    """Two batches, without torch's advice about workers."""

    def __len__(self):
        return 2

    def __iter__(self):
        return iter(torch.randn(2, 4, 1, 32, 32) * 5)


def test_frozen_statistics_and_weights_stay_through_a_fit_with_validation():
    module = Fitted()
    before = {name: value.clone() for name, value in module.network.state_dict().items()}
    Trainer(
        max_epochs=2,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        log_every_n_steps=1,
    ).fit(module, Loader(), Loader())
    after = module.network.state_dict()
    assert after.keys() == before.keys()
    assert {name.partition(".")[0] for name in before if not torch.equal(before[name], after[name])} == {"layer4", "fc"}
    assert not torch.equal(before["layer4.0.bn1.running_mean"], after["layer4.0.bn1.running_mean"])


def test_frozen_statistics_stay_and_the_others_move():
    model = network()
    set_trainable(model, ["layer4", "fc"])
    before = {name: value.clone() for name, value in model.state_dict().items() if "running" in name}
    model = copy.deepcopy(pickle.loads(pickle.dumps(model))).train()
    model(torch.randn(4, 1, 32, 32) * 5)
    after = model.state_dict()
    moved = {name.partition(".")[0] for name, value in before.items() if not torch.equal(value, after[name])}
    assert moved == {"layer4"}


def test_biases_and_norms_are_not_decayed():
    model = network()
    groups = parameter_groups(model, OptimizerSettings(weight_decay=0.3))
    for group in groups:
        for parameter in group["params"]:
            assert group["weight_decay"] == (0.3 if parameter.ndim > 1 else 0.0)
    assert sum(len(group["params"]) for group in groups) == len(list(model.parameters()))
    assert {group["lr"] for group in groups} == {1e-3}


def test_position_embeddings_are_not_decayed():
    model = network("vit_tiny_patch16_224")
    decays = {
        id(p): group["weight_decay"] for group in parameter_groups(model, OptimizerSettings()) for p in group["params"]
    }
    assert decays[id(model.pos_embed)] == 0.0
    assert decays[id(model.patch_embed.proj.weight)] > 0


@pytest.mark.parametrize("name", ["resnet18", "vgg_small", "vit_tiny_patch16_224"])
def test_layer_decay_lowers_the_learning_rate_towards_the_input(name):
    model = network(name)
    groups = parameter_groups(model, OptimizerSettings(lr=1.0, layer_decay=0.5))
    rate = {id(parameter): group["lr"] for group in groups for parameter in group["params"]}
    rates = [rate[id(parameter)] for parameter in model.parameters()]
    assert rates[-1] == 1.0
    assert rates[0] == min(rates) < 0.2
    assert len(set(rates)) > 3


def test_frozen_parameters_are_in_no_group():
    model = network()
    set_trainable(model, "head")
    (weight, bias) = sorted(parameter_groups(model, OptimizerSettings()), key=lambda group: -group["weight_decay"])
    assert [len(weight["params"]), len(bias["params"])] == [1, 1]
    assert isinstance(model.fc, nn.Linear)
