"""How fast `predict` answers for image files, against the bare network on the same batches. Nothing is asserted.

    python benchmarks/predict.py [--images 256] [--rounds 5] [--size 224]

Images/s of `predict` from PNG files to the table of answers (reading, resizing, asking, calibration, digests,
comparison with the training images), and of the network alone on the same batches, which are ready on the device, in
the same precision and without gradients. Both are timed in turn, round by round, and the median of their ratios is
printed: 1 means that everything else costs nothing. One network for classes, and one for masks, whose maps `predict`
also brings to the size of the original and counts. All images are simulated: noise under smooth shapes, 512 × 400.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch

from medvision.answering.asked import Asked, find_images
from medvision.answering.inputs import Preparation
from medvision.answering.model import Member, Model
from medvision.answering.originals import read_original
from medvision.answering.session import answer
from medvision.config import load_experiment
from medvision.evaluation.operating_point import Decision
from medvision.evaluation.training_range import measure_range
from medvision.torch_network import TorchNetwork
from medvision.training import build_task

BATCH = 32
DATA = {"multilabel": False, "channels": 1, "resize": "letterbox", "train_images": 6}
NETWORKS = {
    "classes, resnet18": (
        "{task: classification, backbone: resnet18, pretrained: false}",
        {"classes": ["a", "b"], "mask_classes": [], "train_counts": [3, 3], "train_pixels": []},
    ),
    "masks, unet with resnet18": (
        "{task: segmentation, architecture: unet, encoder: resnet18, pretrained: false}",
        {"classes": [], "mask_classes": ["rest", "disc"], "train_counts": [], "train_pixels": [9, 9]},
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    options = parser.parse_args()
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        asked = find_images(draw_files(Path(folder), options.images))
        for name in options.networks:
            compare(name, Path(folder), asked, options.size, options.rounds)


def draw_files(folder: Path, count: int) -> Path:
    generator = np.random.default_rng(0)
    images = folder / "images"
    images.mkdir()
    for number in range(count):
        smooth = cv2.resize(generator.random((8, 10)).astype(np.float32), (512, 400), interpolation=cv2.INTER_CUBIC)
        speckled = 255 * smooth.clip(0, 1) * generator.rayleigh(0.4, smooth.shape).clip(0, 1)
        cv2.imwrite(str(images / f"{number:05d}.png"), speckled.astype(np.uint8))
    return images


def open_model(name: str, folder: Path, size: int) -> tuple[Model, TorchNetwork]:
    settings, data = NETWORKS[name]
    file = folder / "x.yaml"
    file.write_text(f"name: x\ndata: {{name: folder, root: images, image_size: {size}}}\nmodel: {settings}\n")
    experiment = load_experiment([file], [])
    network = TorchNetwork(build_task(experiment, {**DATA, **data, "image_size": size}), experiment)
    features = network.ask(np.zeros((2, 1, size, size), np.uint8))["features"]
    known = measure_range([400], [512], ["8-bit grey"], features + np.random.default_rng(0).random(features.shape))
    model = Model(
        name="benchmark",
        identity="",
        members=(Member(network, Decision(temperature=1.5), known),),
        classes=tuple(data["classes"]),
        multilabel=False,
        mask_classes=tuple(data["mask_classes"]),
        preparation=Preparation(size, "letterbox", 1),
        batch_size=BATCH,
        patients=20,
        known=frozenset(),
    )
    return model, network


def compare(name: str, folder: Path, asked: list[Asked], size: int, rounds: int) -> None:
    model, network = open_model(name, folder, size)
    inputs = np.concatenate([model.preparation.inputs(one.name, read_original(one, 1).pixels) for one in asked])
    batches = [torch.from_numpy(inputs[k : k + BATCH]).to(network.device) for k in range(0, len(inputs), BATCH)]

    def bare() -> None:
        with torch.inference_mode(), network.precision.predict_step_context():
            for batch in batches:
                network.task(batch)
        if network.device.type == "cuda":
            torch.cuda.synchronize()

    def whole() -> None:
        assert len(answer(model, asked, keep_masks=False).images) == len(asked)

    bare(), whole()
    rows = [(timed(bare), timed(whole)) for _ in range(rounds)]
    alone, ours = (len(asked) / statistics.median(column) for column in zip(*rows, strict=True))
    ratio = statistics.median(one / other for one, other in rows)
    print(f"{name}, {network.device.type}: network alone {alone:,.0f} images/s, predict {ours:,.0f}: × {ratio:.2f}")


def timed(work: Callable[[], None]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
