"""How fast images arrive, and how much memory that takes. Ratios within one run; nothing is asserted.

    python benchmarks/input.py [--images 400] [--rounds 5] [--memory 1000 50000]

1. Images/s of the cached loader from the second epoch on, against decoding 512×400 PNG files each epoch; both without
   augmentation.
2. CPU time of the cached and augmented loader, against albumentations alone on images in memory.
3. CPU time of the preset with elastic deformation, image and mask, against the preset without it and against the same
   preset with albumentations' own ElasticTransform; all by albumentations alone on images in memory.
4. Peak resident memory of a process that reads an epoch of N cached images, for each N of --memory.
All images are simulated noise under smooth shapes.
"""

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from medvision.data.augmentation import PRESETS, augmentation
from medvision.data.cache import Decoded, open_cache
from medvision.data.elastic import NAME, coarse_elastic
from medvision.data.images import read_image
from medvision.data.loaders import Pools
from medvision.data.loading import EpochBatches, ImageDataset
from medvision.data.resize import resize

SIZE = 224


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--memory", type=int, nargs="*", default=[1000, 50_000])
    parser.add_argument("--peak", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    if options.peak is not None:
        peak_memory(options.peak)
        return
    with tempfile.TemporaryDirectory() as folder:
        files = draw_files(Path(folder), options.images)
        speed(files, options.rounds)
        elastic(files, options.rounds)
    for count in options.memory:
        command = [sys.executable, __file__, "--peak", str(count)]
        print(subprocess.run(command, check=True, capture_output=True, text=True).stdout, end="")


def draw_files(folder: Path, count: int) -> list[Path]:
    generator = np.random.default_rng(0)
    files = [folder / f"{number}.png" for number in range(count)]
    for file in files:
        smooth = cv2.resize(generator.random((8, 10)).astype(np.float32), (512, 400), interpolation=cv2.INTER_CUBIC)
        speckled = 255 * smooth.clip(0, 1) * generator.rayleigh(0.4, smooth.shape).clip(0, 1)
        cv2.imwrite(str(file), speckled.astype(np.uint8))
    return files


def decode(name: str) -> Decoded:
    image = read_image(Path(name), 1)
    return Decoded(resize(image, SIZE, "letterbox"), *image.shape, name)


def dataset(files: list[Path], preset: str) -> ImageDataset:
    pixels, _ = open_cache(f"benchmark{len(files)}", (len(files), SIZE, SIZE), list(map(str, files)), decode)
    rows = np.arange(len(files))
    augment = None if preset == "none" else augmentation(preset, SIZE)
    return ImageDataset(pixels, rows, np.zeros(len(files), dtype=np.int64), augment, seed=0)


def cached_epoch(data: ImageDataset, epoch: int) -> None:
    batches = EpochBatches(len(data), 64, shuffle=True)
    batches.set_epoch(epoch)
    for _ in Pools().loader("order", data, batches, workers=None, pin_memory=False):
        pass


def decoded_epoch(files: list[Path]) -> None:
    for start in range(0, len(files), 64):
        np.stack([resize(read_image(file, 1), SIZE, "letterbox") for file in files[start : start + 64]])


def albumentations_alone(images: list[np.ndarray], preset: str) -> None:
    """What a user would write by hand: one pipeline, images in memory, no seeding."""
    pipeline = compose(PRESETS[preset])
    for image in images:
        pipeline(image=image)


def compose(steps: list[dict[str, Any]]) -> Any:
    import albumentations as A  # noqa: N812

    coarse_elastic(A)
    return A.Compose([A.from_dict({"transform": step}) for step in steps], seed=0)


def timed(work: Callable[[], None], clock: Callable[[], float]) -> float:
    start = clock()
    work()
    return clock() - start


def speed(files: list[Path], rounds: int) -> None:
    plain, augmented = dataset(files, "none"), dataset(files, "ultrasound")
    images = [np.array(plain.pixels[row]) for row in range(len(files))]
    wall, process = time.perf_counter, time.process_time
    cached_epoch(augmented, 0)
    albumentations_alone(images[:2], "ultrasound")
    rows = []
    for number in range(1, rounds + 1):
        cached = min(timed(lambda e=number: cached_epoch(plain, e), wall) for _ in range(3))
        decoded = timed(lambda: decoded_epoch(files), wall)
        ours = timed(lambda e=number: cached_epoch(augmented, e), process)
        alone = timed(lambda: albumentations_alone(images, "ultrasound"), process)
        rows.append((cached, decoded, decoded / cached, ours, alone, ours / alone))
    n = len(files)
    cached, decoded, faster, ours, alone, cost = (statistics.median(column) for column in zip(*rows, strict=True))
    print(f"without augmentation: cached {n / cached:,.0f} images/s, decoding {n / decoded:,.0f}: × {faster:.1f}")
    print(f"CPU with augmentation: {1e6 * ours / n:.0f} µs/image, albumentations {1e6 * alone / n:.0f}: × {cost:.2f}")


def elastic(files: list[Path], rounds: int) -> None:
    """Albumentations' transform gets a narrower kernel than its own default, which is in its favour."""
    images = [resize(read_image(file, 1), SIZE, "letterbox") for file in files[:100]]
    mask = (images[0] > 100).astype(np.uint8)
    (ours,) = (step for step in PRESETS["ultrasound_elastic"] if step["__class_fullname__"] == NAME)
    theirs = {"__class_fullname__": "ElasticTransform", "alpha": 100, "sigma": SIZE / ours["knots"] / 4, "p": ours["p"]}
    presets = (
        PRESETS["ultrasound"],
        PRESETS["ultrasound_elastic"],
        [theirs if step is ours else step for step in PRESETS["ultrasound_elastic"]],
    )
    pipelines = [compose(steps) for steps in presets]

    def cost(pipeline: Any) -> float:
        return timed(lambda: [pipeline(image=image, mask=mask) for image in images], time.process_time)

    rows = [[cost(pipeline) for pipeline in pipelines] for _ in range(rounds + 1)][1:]
    plain, coarse, dense = (statistics.median(column) / len(images) for column in zip(*rows, strict=True))
    print(
        f"CPU with mask: ultrasound_elastic {1e6 * coarse:.0f} µs/image, ultrasound {1e6 * plain:.0f}: "
        f"× {coarse / plain:.2f}; elastic by albumentations {1e6 * dense:.0f}: × {coarse / dense:.2f}"
    )


def peak_memory(count: int) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (SIZE, SIZE), dtype=np.uint8)
    names = [str(number) for number in range(count)]
    shape = (count, SIZE, SIZE)
    pixels, _ = open_cache(f"memory{count}", shape, names, lambda name: Decoded(noise, SIZE, SIZE, name))
    data = ImageDataset(pixels, np.arange(count), np.zeros(count, dtype=np.int64), None, seed=0)
    cached_epoch(data, 0)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    size = pixels.path.stat().st_size / 2**20
    print(f"peak memory, an epoch of {count:,} cached images ({size:,.0f} MiB): {peak:,.0f} MiB")


if __name__ == "__main__":
    main()
