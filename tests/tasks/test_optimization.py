import math

import lightning.pytorch as pl
import pytest
import torch
from pydantic import TypeAdapter
from torch import nn

from medvision.config.settings import OptimizerSettings, Schedule
from medvision.errors import ConfigError
from medvision.models.small import two_layer_cnn
from medvision.tasks.optimization import create_optimizer, create_schedule

EPOCHS = 6


class Fitted(pl.LightningModule):
    """A network whose validation loss is given, epoch by epoch."""

    def __init__(self, optimizer: dict, schedule: dict, losses: list[float]) -> None:
        super().__init__()
        self.network = two_layer_cnn(1, 2)
        self.optimizer_settings = OptimizerSettings(**optimizer)
        self.schedule_settings = TypeAdapter(Schedule).validate_python(schedule)
        self.losses, self.rates = losses, []

    def training_step(self, batch, batch_idx):
        return self.network(batch).square().mean()

    def validation_step(self, batch, batch_idx):
        pass

    def on_train_epoch_start(self):
        self.rates.append([group["lr"] for group in self.trainer.optimizers[0].param_groups])

    def on_validation_epoch_end(self):
        self.log("val/loss", self.losses[self.current_epoch])

    def configure_optimizers(self):
        optimizer = create_optimizer(self.network, self.optimizer_settings)
        schedule = create_schedule(optimizer, self.schedule_settings, self.trainer.max_epochs)
        return optimizer if schedule is None else {"optimizer": optimizer, "lr_scheduler": schedule}


class Loader:
    """Two batches, without torch's advice about workers."""

    def __len__(self):
        return 2

    def __iter__(self):
        return iter(torch.randn(2, 3, 1, 8, 8))


def rates(schedule: dict, optimizer: dict | None = None, losses: list[float] | None = None) -> list[list[float]]:
    module = Fitted({"lr": 1.0, **(optimizer or {})}, schedule, losses or [1.0] * EPOCHS)
    trainer = pl.Trainer(
        max_epochs=EPOCHS,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        log_every_n_steps=1,
    )
    trainer.fit(module, Loader(), Loader())
    return module.rates


def highest(schedule: dict, **more) -> list[float]:
    return [max(epoch) for epoch in rates(schedule, **more)]


def test_no_schedule_keeps_the_rate():
    assert highest({"name": "none"}) == [1.0] * EPOCHS


def test_step_falls_after_each_period():
    assert highest({"name": "step", "every": 2, "factor": 0.5}) == [1, 1, 0.5, 0.5, 0.25, 0.25]


def test_cosine_warms_up_and_ends_at_its_lowest_in_the_last_epoch():
    found = highest({"name": "cosine", "warmup_epochs": 2, "min_lr": 0.1})
    assert found[:3] == pytest.approx([1 / 3, 2 / 3, 1.0])
    assert found[3] == pytest.approx(0.1 + 0.9 * (1 + math.cos(math.pi / 3)) / 2)
    assert found[-1] == pytest.approx(0.1)


def test_plateau_falls_after_its_patience_and_not_before():
    losses = [1.0, 0.9, 0.9, 0.9, 0.5, 0.5]
    found = highest({"name": "plateau", "patience": 1, "factor": 0.1}, losses=losses)
    assert found == pytest.approx([1, 1, 1, 1, 0.1, 0.1])


def test_plateau_of_a_score_waits_for_it_to_rise():
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = TypeAdapter(Schedule).validate_python({"name": "plateau", "monitor": "val/f1"})
    assert create_schedule(optimizer, schedule, EPOCHS)["scheduler"].mode == "max"


@pytest.mark.parametrize(
    "schedule",
    [
        {"name": "step", "every": 1, "factor": 0.5},
        {"name": "cosine"},
        {"name": "cosine", "warmup_epochs": 2, "min_lr": 0.6},
        {"name": "plateau", "patience": 0, "min_lr": 0.6},
    ],
)
def test_layer_decay_keeps_its_ratio_under_a_schedule(schedule):
    by_epoch = rates(schedule, optimizer={"layer_decay": 0.5})[:-1]
    for epoch in by_epoch:
        assert min(epoch) / max(epoch) == pytest.approx(0.5**2)


@pytest.mark.parametrize(("name", "kind"), [("adamw", "AdamW"), ("adam", "Adam"), ("sgd", "SGD")])
def test_optimizers_by_name(name, kind):
    optimizer = create_optimizer(two_layer_cnn(1, 2), OptimizerSettings(name=name, momentum=0.8))
    assert type(optimizer).__name__ == kind
    if name == "sgd":
        assert optimizer.param_groups[0]["momentum"] == 0.8
        assert optimizer.param_groups[0]["nesterov"]


def test_a_cosine_without_an_end_is_refused():
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = TypeAdapter(Schedule).validate_python({"name": "cosine", "warmup_epochs": 9})
    with pytest.raises(ConfigError, match="needs trainer.max_epochs"):
        create_schedule(optimizer, schedule, None)
    with pytest.raises(ConfigError, match="9 leaves nothing"):
        create_schedule(optimizer, schedule, 9)
