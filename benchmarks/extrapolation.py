"""How often does the band of a learning curve hold the truth, at the largest size and far beyond it?

    OMP_NUM_THREADS=1 nice -n 19 python benchmarks/extrapolation.py [--repetitions 300] [--resamples 500]

Each repetition draws test patients, some harder than others, and trainings, some luckier than others; neighbouring
sizes of a repeat share a part of their luck, as nested subsets do. The error follows a power law, or in the last two
designs something else, which no band of a power law can know. Bands and numbers are made by the code that writes
`learning_curve.json`. A run of the default takes five minutes on one core.
"""

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri

from medvision.evaluation.learning_curve import FARTHEST, Measured, extrapolate

Floats = npt.NDArray[np.float64]

AHEAD = (1, 2, 5, 10)
# Standard deviations of probits, of a patient and of a patient's answer in one training, and what sizes share.
PATIENT, ANSWER, SHARED = 0.7, 0.5, 0.3
# The truth is searched up to so many times the largest size.
BEYOND = 1e6


@dataclass(frozen=True)
class Design:
    """A study.

    Args:
        title: of its row.
        sizes: numbers of training images.
        error: the true mean error, of numbers of images.
        patients: that are tested.
        images: of each.
        repeats: of every size.
        luck: standard deviation of the probit of the error between trainings.
    """

    title: str
    sizes: tuple[int, ...]
    error: Callable[[Floats], Floats]
    patients: int = 60
    images: int = 5
    repeats: int = 3
    luck: float = 0.12


def power_law(a: float, b: float, c: float) -> Callable[[Floats], Floats]:
    """The error a + b (n / 100)^-c."""
    return lambda n: a + b * (n / 100) ** -c


def _breaking(n: Floats) -> Floats:
    """A power law that goes on more slowly where the data end."""
    return np.where(n < 800, 0.05 + 0.2 * (n / 100) ** -0.5, 0.05 + 0.2 * 8**-0.5 * (np.maximum(n, 800) / 800) ** -0.1)


FOUR = (100, 200, 400, 800)
DESIGNS = (
    Design("4 sizes, 60 patients", FOUR, power_law(0.05, 0.2, 0.5)),
    Design("the same, unsteady training", FOUR, power_law(0.05, 0.2, 0.5), luck=0.3),
    Design("the same, 2 repeats", FOUR, power_law(0.05, 0.2, 0.5), repeats=2, luck=0.2),
    Design("4 sizes, 200 patients", FOUR, power_law(0.1, 0.25, 0.35), patients=200, images=3, repeats=5),
    Design("4 sizes, it never ends", (50, 100, 200, 400), power_law(0, 0.25, 0.3), patients=54, images=2),
    Design(
        "5 sizes, 700 patients",
        (100, 300, 1000, 3000, 10000),
        power_law(0.1, 0.3, 0.35),
        patients=700,
        images=3,
        luck=0.08,
    ),
    Design("6 sizes, 100 patients", (50, *FOUR, 1600), power_law(0.05, 0.2, 0.7), patients=100, images=3),
    Design("3 sizes, 60 patients", FOUR[:3], power_law(0.05, 0.2, 0.5)),
    Design("no power law: steep, then flat", FOUR, lambda n: 0.08 + 0.25 / (1 + (n / 250) ** 2)),
    Design("no power law: breaks at the end", FOUR, _breaking),
)


def draw(design: Design, resamples: int, random: np.random.Generator) -> Measured:
    """One study: how often each patient's images are answered wrongly, and its resamples of patients."""
    sizes = np.array(design.sizes, dtype=np.float64)
    shape = (len(sizes), design.repeats)
    # With this mean the error is right on average over patients, answers and trainings.
    mean = ndtri(design.error(sizes)) * np.sqrt(1 + PATIENT**2 + ANSWER**2 + design.luck**2)
    luck = np.sqrt(SHARED) * random.normal(size=(1, design.repeats)) + np.sqrt(1 - SHARED) * random.normal(size=shape)
    hard = random.normal(0, PATIENT, design.patients) + random.normal(0, ANSWER, (*shape, design.patients))
    chance = ndtr(mean[:, None, None] + design.luck * luck[:, :, None] + hard)
    wrong = random.binomial(design.images, chance) / design.images
    draws = random.multinomial(design.patients, np.full(design.patients, 1 / design.patients), size=resamples)
    return Measured(sizes, 1 - wrong.mean(axis=2), 1 - wrong @ (draws.T / design.patients), design.patients)


def images_more(design: Design) -> float:
    """How many images a point more truly takes; infinite where it cannot be had."""
    largest = design.sizes[-1]
    grid = np.geomspace(largest, BEYOND * largest, 200_001)
    there = design.error(grid) <= design.error(np.array([float(largest)])) - 0.01
    return float(grid[there.argmax()] - largest) if there.any() else np.inf


def judge(design: Design, fitted: dict[str, object], truth: float) -> tuple[list[float], int, bool]:
    """Whether the band holds the truth at each distance, what was said of the images needed, and whether it is so."""
    largest, held = design.sizes[-1], []
    for times in AHEAD:
        point = min(fitted["curve"], key=lambda point: abs(np.log(point["images"] / (times * largest))))
        there = abs(np.log(point["images"] / (times * largest))) < np.log(1.2)
        value = 1 - float(design.error(np.array([point["images"]]))[0])
        held.append(float(point["low"] <= value <= point["high"]) if there else np.nan)
    low, high = fitted["needed"]["low"], fitted["needed"]["high"]
    if low is None:
        return held, 0, truth > (FARTHEST - 1) * largest
    return held, 1 if high is None else 2, low <= truth and (high is None or truth <= high)


def main(argv: list[str]) -> None:
    """Print a row a design."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=300)
    parser.add_argument("--resamples", type=int, default=500)
    options = parser.parse_args(argv)
    print(f"{'':32} band held the truth, %, at      images for a point")
    print(f"{'':32} {''.join(f'{times:>5} x' for times in AHEAD)}   truth  interval  least  none  right, %")
    for number, design in enumerate(DESIGNS):
        random, truth = np.random.default_rng([7, number]), images_more(design)
        judged = [
            judge(design, extrapolate(draw(design, options.resamples, random), seed), truth)
            for seed in range(options.repetitions)
        ]
        held = 100 * np.mean([row for row, _, _ in judged], axis=0)
        bands = "".join(f"{'–':>7}" if np.isnan(share) else f"{share:7.1f}" for share in held)
        shares = [100 * np.mean([kind == wanted for _, kind, _ in judged]) for wanted in (2, 1, 0)]
        right = 100 * np.mean([good for _, _, good in judged])
        said = f"{truth:8.0f}{shares[0]:10.0f}{shares[1]:7.0f}{shares[2]:6.0f}{right:10.1f}"
        print(f"{design.title:32} {bands}{said}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
