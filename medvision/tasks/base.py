"""What all tasks share: one step for training and validation, metrics once an epoch, prediction by row."""

from abc import abstractmethod
from contextlib import nullcontext
from typing import Any, ClassVar

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.strategies import FSDPStrategy
from pydantic import TypeAdapter
from torch import Tensor, nn
from torch.distributed.fsdp import FullyShardedDataParallel

from medvision.config.settings import OptimizerSettings, Schedule
from medvision.data.loading import Batch
from medvision.evaluation.predictions import shortest_decimals
from medvision.tasks.optimization import create_optimizer, create_schedule

TRIAL_EPOCHS = 1000


class Task(LightningModule):
    """A network with its loss, its optimizer and its running metrics.

    Nothing but the loss is computed in a step: what the metrics need is kept on the device and evaluated once an epoch.

    Args:
        network: maps normalised images (B, C, S, S) float32 to outputs.
        mean: of the pixels in [0, 1], one a channel.
        std: likewise.
        optimizer: the `optimizer` section of the experiment, plain values.
        schedule: the `schedule` section of the experiment, plain values.

    Attributes:
        metric_names: what is logged behind `train/` and `val/`; empty if the task does not say.
        usual_epochs: how long a training is where the experiment does not say; None for what Lightning does.
        flips: average predictions with those for the image flipped left to right.
        window_overlap: share that two neighbouring windows of a large image have in common.
    """

    metric_names: ClassVar[tuple[str, ...]] = ()
    usual_epochs: ClassVar[int | None] = None

    def __init__(
        self,
        network: nn.Module,
        mean: tuple[float, ...],
        std: tuple[float, ...],
        optimizer: dict[str, Any],
        schedule: dict[str, Any],
    ) -> None:
        super().__init__()
        # Convolutions are a tenth faster on CPU, and more on tensor cores, when channels vary fastest.
        self.network = network.to(memory_format=torch.channels_last)
        # In the checkpoint: a network that is built without its pretrained weights does not know what they expect.
        self.register_buffer("pixel_mean", torch.tensor(mean).view(1, -1, 1, 1))
        self.register_buffer("pixel_std", torch.tensor(std).view(1, -1, 1, 1))
        self.optimizer_settings = OptimizerSettings.model_validate(optimizer)
        self.schedule_settings: Schedule = TypeAdapter(Schedule).validate_python(schedule)
        self.flips = False
        self.window_overlap = 0.5
        self._kept: list[tuple[Tensor, int, tuple[Tensor, ...]]] = []

    # What a task decides

    @abstractmethod
    def compute_loss(self, outputs: Any, batch: Batch) -> Tensor:
        """The loss of a batch, a scalar."""

    @abstractmethod
    def keep(self, outputs: Any, batch: Batch) -> tuple[Tensor, ...]:
        """What the metrics of an epoch need of a batch, tensors with B rows; small, for a whole epoch is kept."""

    @abstractmethod
    def compute_metrics(self, *kept: Tensor) -> dict[str, float]:
        """Running metrics of an epoch by name, without the stage, from the rows of all its batches."""

    @abstractmethod
    def predict_rows(self, images: Tensor) -> dict[str, Tensor]:
        """What the prediction table is made of, tensors with B rows, from images (B, C, S, S) uint8."""

    def check_trainer(self, trainer: Trainer) -> None:
        """Refuse what this task cannot do with a Trainer; any will do unless a task says otherwise."""

    def validation_loss(self, mean: Tensor, *kept: Tensor) -> Tensor:
        """The loss of the whole validation set; the mean over its images, unless a task knows better."""
        return mean

    # One step for all

    @property
    def mean(self) -> tuple[float, ...]:
        """Of the pixels in [0, 1], one a channel; the shortest decimals of what the checkpoint holds."""
        return tuple(shortest_decimals(self.pixel_mean.flatten().cpu().numpy()).tolist())

    @property
    def std(self) -> tuple[float, ...]:
        """Likewise."""
        return tuple(shortest_decimals(self.pixel_std.flatten().cpu().numpy()).tolist())

    def forward(self, images: Tensor) -> Tensor:
        """Outputs of the network for images (B, C, S, S) uint8."""
        return self.network(self.normalise(images))

    def normalise(self, images: Tensor) -> Tensor:
        """Images (B, C, S, S) uint8 as the network sees them, in the type of its weights (float32 but for `*-true`)."""
        mean, std = (values.float() * 255 for values in (self.pixel_mean, self.pixel_std))
        normalised = images.float().sub(mean).div(std).to(self.pixel_mean.dtype)
        return normalised.contiguous(memory_format=torch.channels_last)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Loss of a training batch."""
        loss = self._keep_batch(self(batch["image"]), batch)
        return loss if self.trainer.world_size == 1 else loss * self._share(len(batch["index"]))

    def validation_step(self, batch: Batch, batch_idx: int) -> Any:
        """Keep what the metrics need of a validation batch; the outputs are for callbacks."""
        outputs = self(batch["image"])
        self._keep_batch(outputs, batch)
        return outputs

    def predict_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        """Rows of the prediction table: `index` of the image in its table and what `predict_rows` gives."""
        return {"index": batch["index"], **self.predict_rows(batch["image"])}

    def _share(self, mine: int) -> Tensor:
        """What the loss of this device counts: gradients are averaged over devices, but one may hold an image more."""
        sizes = torch.tensor(float(mine), device=self.device)
        return mine / self.trainer.strategy.reduce(sizes, reduce_op="mean")

    def _keep_batch(self, outputs: Any, batch: Batch) -> Tensor:
        loss = self.compute_loss(outputs, batch)
        with torch.no_grad():
            self._kept.append((loss.detach(), len(batch["index"]), self.keep(outputs, batch)))
        return loss

    # Metrics once an epoch

    def on_train_epoch_start(self) -> None:
        """Forget what an interrupted epoch has left."""
        self._kept.clear()

    def on_validation_epoch_start(self) -> None:
        """Close the training epoch before validation adds to what is kept."""
        if not self.trainer.sanity_checking and self._kept:
            self._log_epoch("train")

    def on_validation_epoch_end(self) -> None:
        """Log `val/loss` and the other metrics."""
        if self.trainer.sanity_checking:
            self._kept.clear()
        else:
            self._log_epoch("val")

    def on_train_epoch_end(self) -> None:
        """Log the training metrics of an epoch without validation."""
        if self._kept:
            self._log_epoch("train")

    def _log_epoch(self, stage: str) -> None:
        losses, sizes, kept = zip(*self._kept, strict=True)
        self._kept.clear()
        rows = [torch.cat(column) for column in zip(*kept, strict=True)]
        weights = torch.tensor(sizes, dtype=torch.float32, device=losses[0].device)
        parts = self._gather((torch.stack(losses), weights, *rows))
        loss, weight, *everything = (torch.cat(column) for column in zip(*parts, strict=True))
        # The training loss is what was minimised; the validation loss is that of the whole set, not of its batches.
        mean = (loss * weight).sum() / weight.sum()
        value = mean if stage == "train" else self.validation_loss(mean, *everything)
        metrics = {"loss": float(value), **self.compute_metrics(*everything)}
        self.log_dict({f"{stage}/{name}": value for name, value in metrics.items()}, sync_dist=True)

    def _gather(self, mine: tuple[Tensor, ...]) -> list[tuple[Tensor, ...]]:
        """The tensors of every device, which may differ in length; a list of one on a single device."""
        if self.trainer.world_size == 1:
            return [mine]
        gathered: list[Any] = [None] * self.trainer.world_size
        torch.distributed.all_gather_object(gathered, tuple(tensor.cpu() for tensor in mine))
        return [tuple(tensor.to(mine[0].device) for tensor in part) for part in gathered]

    # Optimization

    def configure_optimizers(self) -> Any:
        """Optimizer and schedule of the experiment."""
        strategy = self.trainer.strategy
        # A shard is flat, but which parameters are decayed follows from the shapes of the whole.
        sharded = isinstance(strategy, FSDPStrategy)
        with FullyShardedDataParallel.summon_full_params(strategy.model, writeback=False) if sharded else nullcontext():
            optimizer = create_optimizer(self.network, self.optimizer_settings)
        # A fast_dev_run sets its own single epoch, in which no schedule has room.
        epochs = TRIAL_EPOCHS if self.trainer.fast_dev_run else self.trainer.max_epochs
        schedule = create_schedule(optimizer, self.schedule_settings, epochs)
        return optimizer if schedule is None else {"optimizer": optimizer, "lr_scheduler": schedule}
