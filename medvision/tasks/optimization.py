"""Optimizers and learning-rate schedules, as the experiment file names them."""

import math
from functools import partial
from typing import Any

from torch import nn, optim
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, ReduceLROnPlateau, StepLR

from medvision.config.settings import (
    CosineSchedule,
    OptimizerSettings,
    PlateauSchedule,
    Schedule,
    StepSchedule,
    mode_of,
)
from medvision.errors import ConfigError
from medvision.models.layers import parameter_groups


def create_optimizer(network: nn.Module, settings: OptimizerSettings) -> optim.Optimizer:
    """An optimizer over the parameters that learn."""
    groups = parameter_groups(network, settings)
    if settings.name == "sgd":
        return optim.SGD(groups, lr=settings.lr, momentum=settings.momentum, nesterov=settings.momentum > 0)
    return {"adamw": optim.AdamW, "adam": optim.Adam}[settings.name](groups, lr=settings.lr)


def create_schedule(optimizer: optim.Optimizer, settings: Schedule, max_epochs: int | None) -> dict[str, Any] | None:
    """A schedule that moves once an epoch, in the form that Lightning takes; None if the learning rate stays.

    Args:
        optimizer: whose learning rates move; the ratios between its groups stay, so that `min_lr` holds for the
            group with the highest rate.
        settings: the `schedule` section.
        max_epochs: the length of a cosine.

    Raises:
        ConfigError: a cosine without an end.
    """
    rates = [group["lr"] for group in optimizer.param_groups]
    if isinstance(settings, PlateauSchedule):
        plateau = ReduceLROnPlateau(
            optimizer,
            mode=mode_of(settings.monitor),
            factor=settings.factor,
            patience=settings.patience,
            min_lr=[settings.min_lr * rate / max(rates) for rate in rates],
            eps=0.0,  # torch leaves alone what would fall by less than 1e-8, the layers far from the output first
        )
        return {"scheduler": plateau, "interval": "epoch", "monitor": settings.monitor}
    scheduler: LRScheduler
    if isinstance(settings, CosineSchedule):
        if max_epochs is None or max_epochs <= 0:
            raise ConfigError("schedule: a cosine needs trainer.max_epochs to know where it ends")
        if settings.warmup_epochs >= max_epochs:
            raise ConfigError(
                f"schedule.warmup_epochs: {settings.warmup_epochs} leaves nothing of trainer.max_epochs {max_epochs}"
            )
        lowest = min(settings.min_lr / max(rates), 1.0)
        scheduler = LambdaLR(optimizer, partial(_cosine, warmup=settings.warmup_epochs, end=max_epochs, lowest=lowest))
    elif isinstance(settings, StepSchedule):
        scheduler = StepLR(optimizer, settings.every, settings.factor)
    else:
        return None
    return {"scheduler": scheduler, "interval": "epoch"}


def _cosine(epoch: int, warmup: int, end: int, lowest: float) -> float:
    """Share of the learning rate in an epoch counted from 0; the last epoch has the lowest."""
    if epoch < warmup:
        return (epoch + 1) / (warmup + 1)
    progress = min((epoch - warmup) / max(end - 1 - warmup, 1), 1.0)
    return lowest + (1 - lowest) * (1 + math.cos(math.pi * progress)) / 2
