"""Lightning callbacks: files, timing and random numbers of a training run."""

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from medvision.config.sweep_values import in_sweep
from medvision.errors import RunError
from medvision.runs import RunFolder, write_table

TERMINATED = 128 + signal.SIGTERM


class EpochSeed(Callback):
    """Random numbers of a training epoch follow from seed and epoch alone, so a resumed epoch draws them again.

    Lightning's checkpoints do not hold the state of the generators; dropout would differ after a resume.

    Args:
        seed: of the experiment.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Seed torch on this device."""
        words = (self.seed, trainer.current_epoch, trainer.global_rank)
        torch.manual_seed(int(np.random.SeedSequence(words).generate_state(1)[0]))


class SharedRun(Callback):
    """What several processes of one run must agree on: its folder, its images, and when they are asked to end.

    On SIGTERM Lightning talks to the other processes from within the signal, wherever they are: they then wait for each
    other for ever. Here a run of a sweep ends with its epoch; every other run ends at once, its last epoch is kept.

    Args:
        run: begun by the first process.
        check: raises where the images of a datamodule are not those of the run.
    """

    def __init__(self, run: RunFolder, check: Callable[[Any], None]) -> None:
        self.run, self.check = run, check
        self._asked_to_end = False

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Look for the folder and compare the images, now that the processes have met."""
        if trainer.is_global_zero:
            return
        if not self.run.split.is_file():
            raise RunError(
                f"{self.run.path}: not there on this machine; all nodes must share it, as with --run-folder DIR"
            )
        self.check(trainer.datamodule)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take the signal from Lightning, which has just asked for it."""
        if trainer.world_size > 1:
            signal.signal(signal.SIGTERM, lambda number, frame: self._end(trainer))

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Likewise; the runs of a sweep are scored whatever it asks."""
        if trainer.world_size > 1 and not in_sweep():
            signal.signal(signal.SIGTERM, lambda number, frame: self._end(trainer))

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stop all processes of a sweep's run after the same epoch."""
        if trainer.world_size > 1 and in_sweep():
            asked = trainer.strategy.reduce_boolean_decision(self._asked_to_end, all=False)
            trainer.should_stop = trainer.should_stop or asked

    def _end(self, trainer: Trainer) -> None:
        if in_sweep():
            self._asked_to_end = True
            return
        if trainer.is_global_zero:
            print(
                "medvision: terminated; the last finished epoch is kept, the same command with "
                f"--run-folder {self.run.path} goes on",
                file=sys.stderr,
                flush=True,
            )
        # Children of this process are the other processes of the run, where Lightning has started them.
        if trainer.strategy.launcher is not None:
            trainer.strategy.launcher.kill(signal.SIGTERM)
        # Whatever ends in order waits for processes that are gone.
        os._exit(TERMINATED)


class LastCheckpoint(Callback):
    """Save everything between two epochs, where a resumed run goes on exactly as if nothing had happened.

    Lightning saves inside an epoch, before a plateau schedule has seen the epoch's metric, and skips that step on
    resume.

    Args:
        path: of the checkpoint.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.stopped = False
        self._between_epochs = False

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save the state after the epoch before."""
        if trainer.current_epoch > 0:
            self._save(trainer)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save the state after the last epoch."""
        if not trainer.interrupted:
            self.stopped = trainer.should_stop
            self._save(trainer)

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Let the coming epoch start at its first batch, and end like every other.

        Lightning forgets the batches of the epoch behind only when the next one has begun; restored as they are, they
        would pass for those of the next epoch, which would then train on nothing. It has counted the coming epoch as
        begun; restored like that, it would take it for one that broke off, at whose end no plateau schedule steps.
        """
        if self._between_epochs:
            fit_loop = checkpoint["loops"]["fit_loop"]
            batches = fit_loop["epoch_loop.batch_progress"]
            batches["current"] = dict.fromkeys(batches["current"], 0)
            batches["is_last_batch"] = False
            for epochs in fit_loop["epoch_progress"].values():
                epochs.update(dict.fromkeys(epochs, epochs["processed"]))

    def state_dict(self) -> dict[str, Any]:
        """Whether early stopping has ended the training, which Lightning's own state does not say."""
        return {"stopped": self.stopped}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up `state_dict`."""
        self.stopped = state_dict["stopped"]

    def _save(self, trainer: Trainer) -> None:
        if trainer.fast_dev_run:
            return
        part = self.path.with_name(f".{self.path.name}.part")
        self._between_epochs = True
        trainer.save_checkpoint(part, weights_only=False)
        self._between_epochs = False
        if trainer.is_global_zero:
            part.replace(self.path)


class History(Callback):
    """`history.csv`: a row an epoch with learning rate, metrics, and seconds.

    Args:
        path: of the table.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: list[dict[str, Any]] = []

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Keep the rows of the epochs that a resumed run has behind it."""
        if self.path.is_file() and trainer.ckpt_path is not None:
            rows = pd.read_csv(self.path)
            self.rows = rows[rows["epoch"] < trainer.current_epoch].to_dict("records")

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock; the learning rate is that of the coming epoch."""
        self._start = time.perf_counter()
        self._lr = max(group["lr"] for group in trainer.optimizers[0].param_groups)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the row."""
        metrics = {name: float(value) for name, value in sorted(trainer.callback_metrics.items()) if "/" in name}
        seconds = round(time.perf_counter() - self._start, 3)
        self.rows.append({"epoch": trainer.current_epoch, "lr": self._lr, "seconds": seconds, **metrics})
        if trainer.is_global_zero:
            write_table(self.path, pd.DataFrame(self.rows))


class EpochLine(Callback):
    """A line an epoch, where no progress bar can be drawn."""

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Print loss and validation metrics."""
        if trainer.is_global_zero:
            shown = {name: value for name, value in trainer.callback_metrics.items() if name.startswith("val/")}
            shown = {"train/loss": trainer.callback_metrics.get("train/loss", torch.tensor(torch.nan)), **shown}
            values = "  ".join(f"{name} {float(value):.4g}" for name, value in shown.items())
            print(f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}  {values}", flush=True)


class FrameRecorder(Callback):
    """What the network says of some validation images after each epoch, for the animation of a training.

    The outputs of the validation itself are taken: nothing is computed twice.

    Args:
        folder: receives `epoch_<n>.npz` with `predicted` uint8 (n, S, S), class numbers.
        rows: rows of the image table, in the order in which they are shown.
    """

    def __init__(self, folder: Path, rows: list[int]) -> None:
        self.folder, self.rows = folder, rows
        self._seen: dict[int, np.ndarray] = {}

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keep the class of every pixel of the images that are shown."""
        index = batch["index"].tolist()
        for row in self.rows:
            if row in index:
                maps = outputs[0] if isinstance(outputs, tuple) else outputs
                self._seen[row] = maps[index.index(row)].argmax(dim=0).byte().cpu().numpy()

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the frame."""
        gathered: list[Any] = [self._seen]
        if trainer.world_size > 1:
            gathered = [None] * trainer.world_size
            torch.distributed.all_gather_object(gathered, self._seen)
        seen = {row: mask for of_device in gathered for row, mask in of_device.items()}
        # A trial run validates a part of the images only.
        if trainer.is_global_zero and seen.keys() == set(self.rows):
            frame = np.stack([seen[row] for row in self.rows])
            np.savez_compressed(self.folder / f"epoch_{trainer.current_epoch:05d}.npz", predicted=frame)
        self._seen = {}


class PredictionCollector(Callback):
    """Gathers the rows that all devices have predicted, once, and writes them in the order of the table.

    A file, because some strategies train in processes that end before their caller could ask them. Set `path` before
    predicting; it becomes an .npz with `index` int64 (n,) and what else a prediction consists of, n rows each. Set
    `reduce` to turn what is too large to be gathered, such as maps, into rows on the device's own process.
    """

    def __init__(self) -> None:
        self.path: Path | None = None
        self.reduce: Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]] | None = None
        self._parts: list[dict[str, np.ndarray]] = []

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Let no sweep stop a run that is being scored: Lightning has just listened to the signal again."""
        if in_sweep():
            signal.signal(signal.SIGTERM, signal.SIG_IGN)

    def on_predict_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: dict[str, torch.Tensor],
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keep a batch on the host."""
        arrays = {name: value.cpu().numpy() for name, value in outputs.items()}
        self._parts.append(arrays if self.reduce is None else self.reduce(arrays))

    def on_predict_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Gather and write."""
        gathered: list[Any] = [self._parts]
        if trainer.world_size > 1:
            gathered = [None] * trainer.world_size
            torch.distributed.all_gather_object(gathered, self._parts)
        parts = [part for of_device in gathered for part in of_device]
        self._parts = []
        if not trainer.is_global_zero or self.path is None:
            return
        order = np.argsort(np.concatenate([part["index"] for part in parts]), kind="stable")
        arrays: dict[str, Any] = {name: np.concatenate([part[name] for part in parts])[order] for name in parts[0]}
        np.savez(self.path, **arrays)
