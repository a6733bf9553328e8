"""How fast exported networks answer on the CPU, and how far they are from torch itself. Nothing is asserted.

    python benchmarks/export.py [--images 64] [--rounds 5] [--size 224] [--networks ...]

Images/s of the bare network in torch (32 bits, without gradients), and of the ONNX file in 32, 16 and 8 bits in ONNX
Runtime, all with the same threads, batches and squares, timed in turn, round by round: the median, and the median of
the ratios to torch. A file does more than the bare network: resizing (which leaves a square as it is), normalisation,
temperature, masks. 16 bits halve the file; a processor without arithmetic in 16 bits computes in 32 and is not faster.
Also the largest difference of a probability from torch, of a class or at a pixel. Weights are random, and images are
simulated: noise under smooth shapes; what a trained network loses in 8 bits is measured by `medvision.export`.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import torch

from medvision.config import load_experiment
from medvision.exporting.graph import AnswerGraph
from medvision.exporting.onnx_file import write_onnx
from medvision.exporting.quantising import write_int8
from medvision.torch_network import TorchNetwork
from medvision.training import build_task

BATCH = 16
DATA = {"multilabel": False, "channels": 1, "resize": "letterbox", "train_images": 6}
LABELS = {"classes": ["a", "b"], "mask_classes": [], "train_counts": [3, 3], "train_pixels": []}
MASKS = {"classes": [], "mask_classes": ["rest", "disc"], "train_counts": [], "train_pixels": [9, 9]}
NETWORKS = {
    "vgg_small": ("{task: classification, backbone: vgg_small}", LABELS),
    "resnet18": ("{task: classification, backbone: resnet18}", LABELS),
    "tf_efficientnet_lite0": ("{task: classification, backbone: tf_efficientnet_lite0}", LABELS),
    "unet, resnet18": ("{task: segmentation, architecture: unet, encoder: resnet18}", MASKS),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    options = parser.parse_args()
    images = draw_squares(options.images, options.size)
    threads = torch.get_num_threads()
    print(f"{options.size} px, batches of {BATCH}, {threads} threads")
    for name in options.networks:
        with tempfile.TemporaryDirectory() as folder:
            compare(name, Path(folder), images, options.rounds, threads)


def draw_squares(count: int, size: int) -> np.ndarray:
    generator = np.random.default_rng(0)
    smooth = [generator.random((8, 8)).astype(np.float32) for _ in range(count)]
    large = np.stack([cv2.resize(one, (size, size), interpolation=cv2.INTER_CUBIC) for one in smooth])
    return (255 * large.clip(0, 1) * generator.rayleigh(0.4, large.shape).clip(0, 1)).astype(np.uint8)[:, None]


def compare(name: str, folder: Path, images: np.ndarray, rounds: int, threads: int) -> None:
    batches = [images[k : k + BATCH] for k in range(0, len(images), BATCH)]
    runs, sizes = build(name, folder, batches, images.shape[-1], threads)
    said = {kind: np.concatenate([run(batch) for batch in batches]) for kind, run in runs.items()}
    rows = [[timed(run, batches) for run in runs.values()] for _ in range(rounds)]
    for kind, column in zip(runs, zip(*rows, strict=True), strict=True):
        ratio = statistics.median(row[0] / one for row, one in zip(rows, column, strict=True))
        difference = np.abs(said[kind] - said["torch"]).max()
        speed = len(images) / statistics.median(column)
        print(f"{name:24} {kind:6} {speed:8.1f} images/s  x {ratio:.2f}  {sizes[kind]:7.1f} MB  {difference:.1e}")


def build(
    name: str, folder: Path, batches: list[np.ndarray], size: int, threads: int
) -> tuple[dict[str, Callable[[np.ndarray], np.ndarray]], dict[str, float]]:
    model, data = NETWORKS[name]
    file = folder / "x.yaml"
    file.write_text(
        f"name: x\ndata: {{name: folder, root: images, image_size: {size}}}\nmodel: {model}\n"
        "trainer: {accelerator: cpu, precision: 32-true}\n"
    )
    experiment = load_experiment([file], [])
    network = TorchNetwork(build_task(experiment, {**DATA, **data, "image_size": size}), experiment)
    settings = {"size": size, "fit": "letterbox", "temperature": 1.0, "multilabel": False}
    write_onnx(AnswerGraph(network.task, **settings), 1, folder / "fp32.onnx")
    write_onnx(AnswerGraph(network.task, **settings, half=True), 1, folder / "fp16.onnx")
    write_int8(folder / "fp32.onnx", folder / "int8.onnx", batches)

    def bare(pixels: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return next(iter(network.task.predict_rows(torch.from_numpy(pixels)).values())).numpy()

    runs: dict[str, Callable[[np.ndarray], np.ndarray]] = {"torch": bare}
    sizes = {"torch": sum(4 * value.numel() for value in network.task.network.state_dict().values()) / 1e6}
    for kind in ("fp32", "fp16", "int8"):
        chosen = onnxruntime.SessionOptions()
        chosen.intra_op_num_threads = threads
        session = onnxruntime.InferenceSession(folder / f"{kind}.onnx", chosen, providers=["CPUExecutionProvider"])
        runs[kind] = lambda pixels, session=session: session.run(None, {"image": pixels})[0]
        sizes[kind] = (folder / f"{kind}.onnx").stat().st_size / 1e6
    return runs, sizes


def timed(run: Callable[[np.ndarray], np.ndarray], batches: list[np.ndarray]) -> float:
    start = time.perf_counter()
    for batch in batches:
        run(batch)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
