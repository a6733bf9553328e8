"""How often does a 95 % interval hold the truth, where images of one patient are alike?

    OMP_NUM_THREADS=1 nice -n 19 python benchmarks/coverage.py [--repetitions 1000] [--resamples 500]

Each repetition draws patients and their images anew, and compares the intervals with the truth, which is known here:
the plain percentile interval over images, as many papers have it, with both of ours over patients, made by the code
that writes `metrics.json`. A patient is well or sick; a score is normal around 0 or `distance`, and the probability of
being sick grows with it; a Dice is the normal probability of a normal, so that it is skewed. The part ICC of the
variance of both belongs to the patient and is common to all images. A run of the default takes a quarter of an hour on
one core.
"""

import argparse
import sys
import time
from dataclasses import dataclass, replace

import numpy as np
from scipy.integrate import quad
from scipy.special import ndtr
from scipy.stats import norm

from medvision.evaluation.bootstrap import bootstrap_metrics
from medvision.evaluation.cases import Cases
from medvision.evaluation.intervals import Method, percentile_interval, resample
from medvision.evaluation.metrics import metric_entries
from medvision.evaluation.weighted import rank_cases, ranked_areas

DICE_MEAN, DICE_SPREAD = 1.5, 0.8
METRICS = {
    "auroc": "AUROC",
    "accuracy": "accuracy",
    "sensitivity_sick": "sensitivity",
    "brier": "Brier",
    "dice": "Dice",
}
BY_IMAGE = "by image"
OURS: tuple[Method, ...] = ("percentile", "bca")
ENOUGH, LOWEST, HIGHEST = 40, 0.93, 0.97


@dataclass(frozen=True)
class Design:
    """Who is examined: patients, images of each, the share of variance between patients, distance of the classes."""

    patients: int
    images: int
    icc: float
    distance: float

    @property
    def truth(self) -> dict[str, float]:
        """What is measured, of all patients there could be."""
        right = float(ndtr(self.distance / 2))
        # Well and sick are mirror images.
        error, _ = quad(lambda z: float(ndtr(z - self.distance / 2) ** 2 * norm.pdf(z)), -8, 8)
        return {
            "auroc": float(ndtr(self.distance / np.sqrt(2))),
            "accuracy": right,
            "sensitivity_sick": right,
            "brier": error,
            "dice": float(ndtr(DICE_MEAN / np.sqrt(1 + DICE_SPREAD**2))),
        }


DESIGNS = (
    Design(20, 1, 0.0, 2.0),
    Design(20, 5, 0.3, 2.0),
    Design(40, 1, 0.0, 2.0),
    Design(40, 5, 0.0, 2.0),
    Design(40, 5, 0.3, 1.5),
    Design(40, 5, 0.6, 2.5),
    Design(40, 20, 0.3, 2.0),
    Design(60, 10, 0.5, 2.0),
    Design(100, 3, 0.6, 1.5),
    Design(200, 1, 0.0, 2.5),
    Design(200, 3, 0.5, 2.0),
    Design(200, 20, 0.1, 2.0),
)


def main(argv: list[str]) -> dict[Design, dict[tuple[str, str], float]]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=1000)
    parser.add_argument("--resamples", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(argv)
    error = 100 * np.sqrt(0.95 * 0.05 / options.repetitions)
    print(f"Coverage in %, {options.repetitions} repetitions: a true 95 shows as 95 ± {1.96 * error:.1f}")
    print("i: percentile over images; p: percentile over patients; b: BCa over patients; * not within 93 to 97\n")
    print("patients images  ICC  dist" + "".join(f"  {title + ' i/p/b':>17}" for title in METRICS.values()))
    found = {}
    start = time.perf_counter()
    for number, design in enumerate(DESIGNS):
        random = np.random.default_rng([options.seed, number])
        hits = [covered(design, random, options.resamples, seed) for seed in range(options.repetitions)]
        found[design] = {key: float(np.mean([hit[key] for hit in hits])) for key in hits[0]}
        cells = [
            "/".join(_cell(design, method, found[design][name, method]) for method in (BY_IMAGE, *OURS))
            for name in METRICS
        ]
        sizes = f"{design.patients:8d} {design.images:6d} {design.icc:4.1f} {design.distance:5.1f}"
        print(sizes + "".join(f"  {cell:>17}" for cell in cells), flush=True)
    print()
    for method in OURS:
        values = [rows[name, method] for design, rows in found.items() if design.patients >= ENOUGH for name in METRICS]
        inside = sum(LOWEST <= value <= HIGHEST for value in values)
        print(
            f"{method}, {ENOUGH} patients or more: {100 * min(values):.1f} to {100 * max(values):.1f}, "
            f"mean {100 * np.mean(values):.1f}; {inside} of {len(values)} within 93 to 97"
        )
    print(f"{(time.perf_counter() - start) / 60:.1f} min")
    return found


def _cell(design: Design, method: str, share: float) -> str:
    judged = method != BY_IMAGE and design.patients >= ENOUGH and not LOWEST <= share <= HIGHEST
    return f"{100 * share:.1f}{'*' if judged else ''}"


def draw_cases(design: Design, random: np.random.Generator) -> tuple[Cases, np.ndarray]:
    """Images of a study, patient by patient, and the Dice of each."""

    def latent() -> np.ndarray:
        of_patient, of_image = np.sqrt(design.icc), np.sqrt(1 - design.icc)
        common = random.standard_normal((design.patients, 1))
        return (of_patient * common + of_image * random.standard_normal((design.patients, design.images))).ravel()

    sick = random.random(design.patients) < 0.5
    # As in a split that is stratified, both classes are there.
    sick[:2] = (True, False)
    truth = np.repeat(sick, design.images)
    score = latent() + design.distance * truth
    chance = ndtr(score - design.distance / 2)
    groups = np.repeat(np.arange(design.patients), design.images)
    cases = Cases(_two(truth), _two(chance > 0.5), np.stack([1 - chance, chance], axis=1), groups, ("well", "sick"))
    return cases, ndtr(DICE_MEAN + DICE_SPREAD * latent())


def _two(second: np.ndarray) -> np.ndarray:
    return np.stack([~second, second], axis=1)


def covered(design: Design, random: np.random.Generator, resamples: int, seed: int) -> dict[tuple[str, str], bool]:
    """Whether each interval of one repetition holds the truth."""
    cases, dice = draw_cases(design, random)
    sick, said = cases.truth[:, 1], cases.predicted[:, 1]
    right = sick == said
    ranking = rank_cases(cases.probabilities[:, 1], sick)
    sums = np.stack([right, (cases.probabilities[:, 1] - sick) ** 2, dice, right & sick, sick]).astype(np.float64)

    def score(weights: np.ndarray) -> dict[str, np.ndarray]:
        *shares, hits, true = sums @ weights
        accuracy, brier, mean = np.array(shares) / weights.sum(axis=0)
        sensitivity = np.divide(hits, true, out=np.full(len(true), np.nan), where=true > 0)
        auroc, _ = ranked_areas(ranking, weights)
        return {"auroc": auroc, "accuracy": accuracy, "sensitivity_sick": sensitivity, "brier": brier, "dice": mean}

    by_image = bootstrap_metrics(score, np.arange(len(sick)), resamples, seed)
    by_patient = resample(score, cases.groups, resamples=resamples, seed=seed, method="bca")
    assert by_patient is not None
    values = score(np.ones((len(sick), 1)))
    found: dict[tuple[str, str], bool] = {}
    for method in OURS:
        entries = metric_entries([cases], values, replace(by_patient, method=method))
        for name, truth in design.truth.items():
            low, high = entries[name]["low"], entries[name]["high"]
            found[name, method] = low is not None and low <= truth <= high
    for name, truth in design.truth.items():
        ends = percentile_interval(by_image[name])
        found[name, BY_IMAGE] = ends is not None and ends[0] <= truth <= ends[1]
    return found


if __name__ == "__main__":
    main(sys.argv[1:])
