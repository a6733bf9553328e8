"""How often are intervals and tests of the difference between two models right, where images of a patient are alike?

    OMP_NUM_THREADS=1 nice -n 19 python benchmarks/differences.py [--repetitions 1000] [--resamples 1000]

Each repetition draws patients, their images and two models' answers anew. A score is normal around 0 for well and
around `distances` for sick patients; a Dice is the normal probability of a normal. Half of the variance is common to
both models, and the part ICC of either half is common to the images of a patient. Intervals of the difference, BCa and
ours, are compared with the truth, which is known here; where the models are equal, so are the tests that `compare`
runs, and DeLong's and McNemar's test as if every image were of another patient. The default takes a quarter of an hour
on one core.
"""

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from medvision.evaluation.answers import Answers
from medvision.evaluation.bootstrap import bootstrap_metrics, jackknife_metrics
from medvision.evaluation.cases import Cases
from medvision.evaluation.delong import compare_areas, placements
from medvision.evaluation.exchange import mcnemar
from medvision.evaluation.intervals import bca_interval
from medvision.evaluation.levels import Level, MaskLevel
from medvision.evaluation.pair_tests import compare_pair
from medvision.evaluation.paired import difference_interval
from medvision.evaluation.segmentation import CLASS_METRICS, MaskCases
from medvision.evaluation.weighted import Scorer, ranked_areas

ALIKE, DICE_SPREAD, ALPHA = 0.5, 0.8, 0.05
METRICS = ("auroc", "accuracy", "dice")


@dataclass(frozen=True)
class Design:
    """Patients, images of each, the share of variance between patients; distances and mean Dice of the two models."""

    patients: int
    images: int
    icc: float
    distances: tuple[float, float]
    dice: tuple[float, float]

    @property
    def equal(self) -> bool:
        """Whether there is no difference to be found."""
        return len(set(self.distances)) == len(set(self.dice)) == 1

    @property
    def truth(self) -> dict[str, float]:
        """The differences between the models on all patients there could be."""
        distances, dice = np.array(self.distances), np.array(self.dice)
        values = ndtr([distances / np.sqrt(2), distances / 2, dice / np.sqrt(1 + DICE_SPREAD**2)])
        return dict(zip(METRICS, map(float, values[:, 1] - values[:, 0]), strict=True))


DESIGNS = (
    Design(40, 5, 0.5, (2.0, 2.0), (1.5, 1.5)),
    Design(40, 5, 0.5, (1.5, 2.2), (1.5, 1.9)),
    Design(15, 4, 0.5, (1.5, 1.5), (1.5, 1.5)),
    Design(40, 1, 0.0, (2.0, 2.0), (1.5, 1.5)),
    Design(100, 3, 0.5, (2.0, 2.0), (1.5, 1.5)),
    Design(100, 3, 0.5, (1.5, 2.2), (1.5, 1.9)),
)


def main(argv: list[str]) -> dict[Design, dict[str, float]]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=1000)
    parser.add_argument("--resamples", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(argv)
    found = {}
    for number, design in enumerate(DESIGNS):
        random = np.random.default_rng([options.seed, number])
        rows = [judge(design, random, options.resamples, seed) for seed in range(options.repetitions)]
        # A test that cannot be made in a repetition finds nothing.
        keys = dict.fromkeys(key for row in rows for key in row)
        found[design] = {key: 100 * float(np.mean([row.get(key, False) for row in rows])) for key in keys}
        print(f"\n{design.patients} patients, {design.images} images each, ICC {design.icc}; {design.distances}")
        for key, share in found[design].items():
            print(f"  {key:42} {share:5.1f} %", flush=True)
    return found


def judge(design: Design, random: np.random.Generator, resamples: int, seed: int) -> dict[str, bool]:
    """Which intervals of one repetition hold the truth, and which tests of equal models find a difference."""
    first, second = draw_models(design, random)
    scores = [scorer(first), scorer(second)]
    groups = first.first.groups

    def score(weights: np.ndarray) -> dict[str, np.ndarray]:
        one, other = (of(weights) for of in scores)
        return {name: other[name] - one[name] for name in METRICS}

    value = score(np.ones((len(groups), 1)))
    drawn, left_out = bootstrap_metrics(score, groups, resamples, seed), jackknife_metrics(score, groups)
    found = {}
    for name, truth in design.truth.items():
        behind = min(first.behind[name], second.behind[name])
        ends = {
            "BCa": bca_interval(drawn[name], float(value[name][0]), left_out[name], patients=behind),
            "ours": difference_interval(drawn[name], left_out[name], behind),
        }
        for method, end in ends.items():
            found[f"{name}, held by {method}"] = end is not None and end[0] <= truth <= end[1]
    return found | (judge_tests(first, second, seed) if design.equal else {})


def judge_tests(first: Answers, second: Answers, seed: int) -> dict[str, bool]:
    """The tests of `compare`, and two that take images for patients."""
    tests = compare_pair(first, second, seed=seed)
    found = {f"{test['metric']}, found by {test['test']}": bool(test["p"] and test["p"] < ALPHA) for test in tests}
    labels = [model.first.labels for model in (first, second)]
    truth = labels[0].truth[:, 1]
    placed = [placements(cases.probabilities[:, 1], truth) for cases in labels]
    by_image = compare_areas(placed[0], placed[1], truth, np.arange(len(truth))).p
    right = [Scorer(cases).correct > 0 for cases in labels]
    return found | {
        "auroc, found by delong, image by image": bool(by_image < ALPHA),
        "accuracy, found by mcnemar, image by image": mcnemar(right[0], right[1]).p < ALPHA,
    }


def draw_models(design: Design, random: np.random.Generator) -> list[Answers]:
    """The answers of two models to the same images."""
    groups = np.repeat(np.arange(design.patients), design.images)
    sick = random.random(design.patients) < 0.5
    # As in a split that is stratified, both classes are there.
    sick[:4] = (True, True, False, False)
    truth = sick[groups]
    models = []
    settings = zip(_latents(design, random), _latents(design, random), design.distances, design.dice, strict=True)
    for score, overlap, distance, mean in settings:
        chance = ndtr(score + distance * (truth - 0.5))
        said = chance > 0.5
        probabilities = np.stack([1 - chance, chance], axis=1)
        cases = Cases(_two(truth), _two(said), probabilities, groups, ("well", "sick"))
        values = np.full((len(truth), 1, len(CLASS_METRICS)), 0.5)
        values[:, 0, 0] = ndtr(mean + DICE_SPREAD * overlap)
        masks = MaskCases(values, np.zeros(values.shape, dtype=bool), groups, np.array([True]))
        level = MaskLevel(masks, np.ones((len(truth), 1), dtype=bool), ("disc",), "px")
        models.append(Answers((Level(np.arange(len(truth)), groups, cases, level),)))
    return models


def _two(second: np.ndarray) -> np.ndarray:
    return np.stack([~second, second], axis=1)


def _latents(design: Design, random: np.random.Generator) -> np.ndarray:
    """(2, n) standard normals."""

    def part(images: int) -> np.ndarray:
        own, common = (random.standard_normal((models, design.patients, images)) for models in (2, 1))
        return np.sqrt(ALIKE) * common + np.sqrt(1 - ALIKE) * own

    latents = np.sqrt(design.icc) * part(1) + np.sqrt(1 - design.icc) * part(design.images)
    return np.asarray(latents.reshape(2, -1))


def scorer(model: Answers) -> Callable[[np.ndarray], dict[str, np.ndarray]]:
    """The few metrics that are judged, without the others' cost."""
    of_labels = Scorer(model.first.labels)
    ranking, dice = of_labels.ranked[1], model.first.masks.cases.values[:, 0, 0]

    def score(weights: np.ndarray) -> dict[str, np.ndarray]:
        total = weights.sum(axis=0)
        area, _ = ranked_areas(ranking, weights)
        return {"auroc": area, "accuracy": of_labels.correct @ weights / total, "dice": dice @ weights / total}

    return score


if __name__ == "__main__":
    main(sys.argv[1:])
