"""What `fit` with everything on costs over a hand-written PyTorch loop: the ratio of their wall times.

    python benchmarks/overhead.py [--task segmentation] [--images 160] [--epochs 3] [--rounds 3] [--network resnet18]

Both train the same network with the same optimizer on the same cached batches for the same epochs and validate after
each one; `fit` also keeps metrics, history, TensorBoard, the best and the last checkpoint, and for segmentation the
frames of the animation, whose share of an epoch is told. Rounds alternate; where others use
the machine too, the fastest round of each was disturbed least. An epoch should take 10 s or more:
checkpoints cost the same however short it is. Images are simulated noise; of segmentation, so are the masks.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import cv2
import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812

from medvision import training
from medvision.callbacks import FrameRecorder
from medvision.config import load_experiment
from medvision.config.settings import Experiment
from medvision.datamodules.base import DataModule
from medvision.runs import create_run

BATCH = 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", choices=("classification", "segmentation"), default="classification")
    parser.add_argument("--images", type=int, default=160)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--network", default="resnet18", help="backbone, or encoder of the U-Net")
    parser.add_argument("--size", type=int, default=224)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        experiment = write_experiment(Path(folder), options)
        datamodule = training.build_datamodule(experiment)
        hand_loop(experiment, datamodule, epochs=1)
        with timed_frames() as frames:
            rows = []
            for _ in range(options.rounds):
                ours = timed_fit(experiment, datamodule, Path(folder) / "runs")
                rows.append((ours, hand_loop(experiment, datamodule, options.epochs)))
                print(f"fit {rows[-1][0]:.1f} s, hand loop {rows[-1][1]:.1f} s", flush=True)
    ratios = [ours / hand for ours, hand in rows]
    steps = options.epochs * -(-len(datamodule.assignment.rows("train")) // BATCH)
    hand = statistics.median(hand for _, hand in rows)
    print(f"{options.network}, {options.size} px, batch {BATCH}, {1000 * hand / steps:.0f} ms a step with validation")
    if frames:
        print(f"frames of the animation: {100 * sum(frames) / sum(ours for ours, _ in rows):.2f} % of the training")
    fastest = min(ours for ours, _ in rows) / min(hand for _, hand in rows)
    print(f"fit / hand loop: fastest rounds × {fastest:.3f}; pairs × {min(ratios):.3f} to {max(ratios):.3f}")


@contextmanager
def timed_frames() -> Iterator[list[float]]:
    """Seconds of every call of the callback that keeps the frames."""
    seconds: list[float] = []

    def timed(method: Callable[..., None]) -> Callable[..., None]:
        def call(*arguments: Any, **named: Any) -> None:
            start = time.perf_counter()
            method(*arguments, **named)
            seconds.append(time.perf_counter() - start)

        return call

    names = ("on_validation_batch_end", "on_validation_epoch_end")
    with ExitStack() as stack:
        for name in names:
            stack.enter_context(mock.patch.object(FrameRecorder, name, timed(getattr(FrameRecorder, name))))
        yield seconds


def write_experiment(folder: Path, options: argparse.Namespace) -> Experiment:
    generator = np.random.default_rng(0)
    masks = options.task == "segmentation"
    for number in range(options.images):
        noise = generator.integers(0, 255, (options.size, options.size), dtype=np.uint8)
        image = Path("images/images" if masks else f"images/{'ab'[number % 2]}", f"{number}.png")
        (folder / image).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / image), noise)
        if masks:
            (folder / "images" / "masks").mkdir(exist_ok=True)
            cv2.imwrite(str(folder / "images" / "masks" / image.name), cv2.blur(noise, (15, 15)) // 128)
    model = "{task: segmentation, encoder: NAME}" if masks else "{task: classification, backbone: NAME}"
    (folder / "x.yaml").write_text(
        f"name: overhead\n"
        f"data: {{name: {'mask_folder' if masks else 'folder'}, root: {folder / 'images'}, "
        f"image_size: {options.size}, batch_size: {BATCH}}}\n"
        f"split: {{group: image}}\n"
        f"model: {model.replace('NAME', options.network)}\n"
        f"early_stopping: {{patience: 1000}}\n"
        f"trainer: {{max_epochs: {options.epochs}, accelerator: cpu}}\n"
    )
    return load_experiment([folder / "x.yaml"], [])


def timed_fit(experiment: Experiment, datamodule: DataModule, output: Path) -> float:
    run = create_run(output, experiment.name)
    run.frames.mkdir(exist_ok=True)
    task = training.build_task(experiment, datamodule.summary())
    start = time.perf_counter()
    training.train(experiment, run, datamodule, task)
    return time.perf_counter() - start


def hand_loop(experiment: Experiment, datamodule: DataModule, epochs: int) -> float:
    task = training.build_task(experiment, datamodule.summary())
    network, mean, std = task.network, task.mean[0] * 255, task.std[0] * 255
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    datamodule.trainer = None
    train, val = datamodule.train_dataloader(), datamodule.val_dataloader()
    start = time.perf_counter()
    for epoch in range(epochs):
        train.batch_sampler.set_epoch(epoch)
        network.train()
        for batch in train:
            images = ((batch["image"].float() - mean) / std).contiguous(memory_format=torch.channels_last)
            optimizer.zero_grad()
            loss_of(network(images), batch).backward()
            optimizer.step()
        network.eval()
        with torch.inference_mode():
            for batch in val:
                images = ((batch["image"].float() - mean) / std).contiguous(memory_format=torch.channels_last)
                loss_of(network(images), batch)
    return time.perf_counter() - start


def loss_of(logits: torch.Tensor, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    if "target" in batch:
        return F.cross_entropy(logits, batch["target"])
    mask = batch["mask"].long()
    truth = F.one_hot(mask, logits.shape[1]).movedim(-1, 1).float()
    share = logits.softmax(dim=1)
    overlap, total = (share * truth).sum((2, 3)), (share + truth).sum((2, 3))
    return F.cross_entropy(logits, mask) + 1 - ((2 * overlap + 1) / (total + 1))[:, 1:].mean()


if __name__ == "__main__":
    main()
