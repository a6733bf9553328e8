"""What `fit` with everything on costs over a hand-written PyTorch loop: the ratio of their wall times.

    python benchmarks/overhead.py [--images 160] [--epochs 3] [--rounds 3] [--backbone resnet18] [--size 224]

Both train the same network with the same optimizer on the same cached batches for the same epochs and validate after
each one; `fit` also keeps metrics, history, TensorBoard, the best and the last checkpoint. Rounds alternate; medians.
An epoch should take 10 s or more: checkpoints cost the same however short it is. Images are simulated noise.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812

from medvision import training
from medvision.config import load_experiment
from medvision.config.settings import Experiment
from medvision.datamodules.base import DataModule
from medvision.runs import create_run

BATCH = 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=160)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--backbone", default="resnet18")
    parser.add_argument("--size", type=int, default=224)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        experiment = write_experiment(Path(folder), options)
        datamodule = training.build_datamodule(experiment)
        hand_loop(experiment, datamodule, epochs=1)
        rows = []
        for _ in range(options.rounds):
            ours = timed_fit(experiment, datamodule, Path(folder) / "runs")
            rows.append((ours, hand_loop(experiment, datamodule, options.epochs)))
            print(f"fit {rows[-1][0]:.1f} s, hand loop {rows[-1][1]:.1f} s", flush=True)
    ratios = [ours / hand for ours, hand in rows]
    steps = options.epochs * -(-len(datamodule.assignment.rows("train")) // BATCH)
    hand = statistics.median(hand for _, hand in rows)
    print(f"{options.backbone}, {options.size} px, batch {BATCH}, {1000 * hand / steps:.0f} ms a step with validation")
    print(f"fit / hand loop: × {statistics.median(ratios):.3f} (from {min(ratios):.3f} to {max(ratios):.3f})")


def write_experiment(folder: Path, options: argparse.Namespace) -> Experiment:
    generator = np.random.default_rng(0)
    for label in ("a", "b"):
        (folder / "images" / label).mkdir(parents=True)
        for number in range(options.images // 2):
            noise = generator.integers(0, 255, (options.size, options.size), dtype=np.uint8)
            cv2.imwrite(str(folder / "images" / label / f"{number}.png"), noise)
    (folder / "x.yaml").write_text(
        f"name: overhead\n"
        f"data: {{name: folder, root: {folder / 'images'}, image_size: {options.size}, batch_size: {BATCH}}}\n"
        f"split: {{group: image}}\n"
        f"model: {{task: classification, backbone: {options.backbone}}}\n"
        f"early_stopping: {{patience: 1000}}\n"
        f"trainer: {{max_epochs: {options.epochs}, accelerator: cpu}}\n"
    )
    return load_experiment([folder / "x.yaml"], [])


def timed_fit(experiment: Experiment, datamodule: DataModule, output: Path) -> float:
    run = create_run(output, experiment.name)
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
            F.cross_entropy(network(images), batch["target"]).backward()
            optimizer.step()
        network.eval()
        with torch.inference_mode():
            for batch in val:
                images = ((batch["image"].float() - mean) / std).contiguous(memory_format=torch.channels_last)
                F.cross_entropy(network(images), batch["target"])
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
