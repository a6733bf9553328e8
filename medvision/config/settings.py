"""The sections of an experiment file. Importing this costs a quarter of a second: no torch here."""

import re
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    field_validator,
)

Fraction = Annotated[float, Field(ge=0, lt=1)]
Metric = Annotated[str, Field(pattern=r"^(train|val)/[a-z0-9_]+$")]
RULE = re.compile(r"youden|f1|(sensitivity|specificity)>=(0?\.\d+|1(\.0+)?)")


class Section(BaseModel):
    """A part of the experiment file: an unknown key is a mistake, not an extra."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, allow_inf_nan=False)


class SplitSettings(Section):
    """Who is trained on, validated on and tested on.

    Args:
        group: the column whose values must never be in two splits; `image` makes every image its own group.
        stratify: the column whose proportions every split keeps; null for none.
        val: fraction of the images held out for validation.
        test: fraction of the images held out for the test.
        folds: number of folds of a cross-validation; `leave_one_out` makes every group a fold of its own.
        fold_by: the column whose values are the folds, such as `site`, in place of `folds`; null for none.
        fold: the fold that is the test set; null for the holdout fractions.
        inner_folds: number of folds that all other images are split into, to choose settings without the test fold.
        inner_fold: that of them which is tested in place of `fold`, whose images are left out; null for none.
        seed: of the split; null for the seed of the experiment. The subset of `train_images` follows the experiment's.
        official: use the split that the data set brings, where it brings one.
        train_images: train on so many images only, taken group by group; a smaller number is a subset of a larger one.
        train_patients: the same, counted in groups.
    """

    group: str = "patient"
    stratify: str | None = "label"
    val: Fraction = 0.15
    test: Fraction = 0.15
    folds: Annotated[int, Field(ge=2)] | Literal["leave_one_out"] = 5
    fold_by: str | None = None
    fold: NonNegativeInt | None = None
    inner_folds: Annotated[int, Field(ge=2)] = 3
    inner_fold: NonNegativeInt | None = None
    seed: NonNegativeInt | None = None
    official: bool = True
    train_images: PositiveInt | None = None
    train_patients: PositiveInt | None = None


class OptimizerSettings(Section):
    """How the weights move.

    Args:
        name: the optimizer of torch.optim.
        lr: learning rate of the layers next to the output.
        weight_decay: not applied to biases and to the weights of normalisation layers.
        momentum: of sgd; with Nesterov's look-ahead.
        layer_decay: factor between the learning rates of neighbouring layers, counted from the output; null for 1.
    """

    name: Literal["adamw", "adam", "sgd"] = "adamw"
    lr: PositiveFloat = 1e-3
    weight_decay: NonNegativeFloat = 0.01
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    layer_decay: Annotated[float, Field(gt=0, le=1)] | None = None


class PlateauSchedule(Section):
    """Multiply the learning rate by `factor` after `patience` epochs in which `monitor` did not get better."""

    name: Literal["plateau"]
    patience: NonNegativeInt = 5
    factor: Annotated[float, Field(gt=0, lt=1)] = 0.1
    monitor: Metric = "val/loss"
    min_lr: NonNegativeFloat = 0.0


class CosineSchedule(Section):
    """Rise linearly over `warmup_epochs`, then fall along half a cosine to `min_lr` at the last epoch."""

    name: Literal["cosine"]
    warmup_epochs: NonNegativeInt = 0
    min_lr: NonNegativeFloat = 0.0


class StepSchedule(Section):
    """Multiply the learning rate by `factor` after each `every` epochs."""

    name: Literal["step"]
    every: PositiveInt
    factor: Annotated[float, Field(gt=0, lt=1)] = 0.1


class ConstantSchedule(Section):
    """The learning rate stays."""

    name: Literal["none"] = "none"


Schedule = Annotated[
    PlateauSchedule | CosineSchedule | StepSchedule | ConstantSchedule,
    Field(discriminator="name"),
]


class EarlyStoppingSettings(Section):
    """Stop after `patience` epochs in which `monitor` did not get better by at least `min_delta`."""

    monitor: Metric = "val/loss"
    patience: PositiveInt = 10
    min_delta: NonNegativeFloat = 0.0


class CheckpointSettings(Section):
    """Which epoch is the best one; null takes what early stopping monitors, and `val/loss` without it."""

    monitor: Metric | None = None


class EMASettings(Section):
    """Validate and keep an exponential moving average of the weights."""

    decay: Annotated[float, Field(gt=0, lt=1)] = 0.999


class TrackingSettings(Section):
    """Weights & Biases, beside the CSV and TensorBoard files that are always written.

    Args:
        wandb: whether a run is recorded, on this machine or on the server; the environment variable `WANDB_MODE` and a
            sweep's agent win over it.
        project: of W&B.
        entity: the W&B team or user; null for the account's own.
        images: also record images of the validation split with the answers to them.
        checkpoints: also record the best checkpoint.
    """

    wandb: Literal["off", "offline", "online"] = "off"
    project: str = "medvision"
    entity: str | None = None
    images: bool = False
    checkpoints: bool = False


class EvaluationSettings(Section):
    """How a trained network is used and scored.

    What is chosen here from data is chosen on the validation split, never on the test split.

    Args:
        resamples: of the patient-clustered bootstrap behind every interval; 0 for no intervals.
        interval: how intervals come from the resamples; of 40 simulated patients or more `bca` covered 93 to 97 %
            everywhere, `percentile` 89 to 96 % (`benchmarks/coverage.py`). Some metrics have intervals of their own.
        aggregate: how the images of a study or patient become one probability; of three classes or more `mean` only.
        threshold: from which probability on an answer is yes: a number, or the rule that finds it on the validation
            split: `youden`, `f1`, `sensitivity>=0.95`, `specificity>=0.95`. Two classes or several labels an image.
        temperature: fit on the validation split how sure the network may be (temperature scaling).
        subgroups: metadata columns by whose values everything is scored apart; null finds them.
        smallest_group: fewest patients of a subgroup that is scored.
        flips: average the prediction of each image with that of the image flipped left to right.
        window_overlap: share that neighbouring windows have in common, with `data.resize: none`.
        test: score the test split; null for yes, except in a run of a sweep, whose runs are chosen among by their
            validation split.
    """

    resamples: NonNegativeInt = 2000
    interval: Literal["bca", "percentile"] = "bca"
    aggregate: Literal["mean", "max", "noisy_or"] = "mean"
    threshold: float | str = 0.5
    temperature: bool = True
    subgroups: list[str] | None = None
    smallest_group: Annotated[int, Field(ge=2)] = 5
    flips: bool = False
    window_overlap: Fraction = 0.5
    test: bool | None = None

    @field_validator("threshold")
    @classmethod
    def _check_threshold(cls, threshold: float | str) -> float | str:
        known = RULE.fullmatch(threshold) if isinstance(threshold, str) else 0 < threshold < 1
        if not known:
            raise ValueError(
                "expected a number between 0 and 1, youden, f1, sensitivity>=0.95 or specificity>=0.95 "
                f"(with any number from 0 to 1), got {threshold!r}"
            )
        return threshold


class Experiment(Section):
    """One experiment file, all defaults filled in.

    `question` is what the report answers, in a sentence. `data` and `model` hold plain values: the name of a datamodule
    (a task) and the parameters of its class, checked against that class's own signature.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
    question: str = ""
    seed: NonNegativeInt = 42
    data: dict[str, Any]
    split: SplitSettings = SplitSettings()
    model: dict[str, Any]
    optimizer: OptimizerSettings = OptimizerSettings()
    schedule: Schedule = ConstantSchedule()
    early_stopping: EarlyStoppingSettings | None = None
    checkpoint: CheckpointSettings = CheckpointSettings()
    ema: EMASettings | None = None
    trainer: dict[str, Any] = {}
    tracking: TrackingSettings = TrackingSettings()
    evaluation: EvaluationSettings = EvaluationSettings()

    @property
    def monitor(self) -> str:
        """The metric that decides which checkpoint is the best."""
        if self.checkpoint.monitor is not None:
            return self.checkpoint.monitor
        return self.early_stopping.monitor if self.early_stopping is not None else "val/loss"


def mode_of(metric: str) -> Literal["min", "max"]:
    """`min` for a loss, `max` for every other metric."""
    return "min" if metric.endswith("loss") else "max"
