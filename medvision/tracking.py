"""Weights & Biases, private unless asked: nothing of the machine, the code or the images is recorded."""

import os
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import Logger, WandbLogger

from medvision.config.settings import Experiment
from medvision.runs import RunFolder

# Offline mode still posts telemetry without the first of these.
PRIVATE = {
    "WANDB_ERROR_REPORTING": "false",
    "WANDB_SAVE_CODE": "false",
    "WANDB_DISABLE_CODE": "true",
    "WANDB_DISABLE_GIT": "true",
    "WANDB_CONSOLE": "off",
    "WANDB_X_DISABLE_MACHINE_INFO": "true",
    "WANDB_X_DISABLE_META": "true",
    "WANDB_X_SAVE_REQUIREMENTS": "false",
    "WANDB_PROGRAM": "medvision.fit",
    "WANDB_HOST": "hidden",
}


def wandb_logger(experiment: Experiment, run: RunFolder) -> list[Logger]:
    """A logger for W&B, or none if `tracking.wandb` is `off`."""
    tracking = experiment.tracking
    if tracking.wandb == "off":
        return []
    for name, value in PRIVATE.items():
        os.environ.setdefault(name, value)
    config = without_folders(experiment.model_dump(mode="json"))
    return [
        WandbLogger(
            name=run.path.name,
            project=tracking.project,
            group=experiment.name,
            save_dir=run.logs,
            offline=tracking.wandb == "offline",
            log_model=False,
            config=config,
        )
    ]


def without_folders(value: Any) -> Any:
    """Plain values in which of every absolute path only the last part is left: the rest says who works where."""
    if isinstance(value, dict):
        return {key: without_folders(item) for key, item in value.items()}
    if isinstance(value, list):
        return [without_folders(item) for item in value]
    return Path(value).name if isinstance(value, str) and Path(value).is_absolute() else value
