"""Simulated studies of two models on the same images, of which a patient has several that are alike."""

import numpy as np
from scipy.special import ndtr
from scipy.stats import binom

from medvision.evaluation.answers import Answers
from medvision.evaluation.cases import Cases
from medvision.evaluation.levels import Level, MaskLevel
from medvision.evaluation.segmentation import CLASS_METRICS, MaskCases

PATIENTS, IMAGES, ICC, ALIKE = 40, 5, 0.5, 0.5
GROUPS = np.repeat(np.arange(PATIENTS), IMAGES)
NAMES = ("well", "sick")


def latents(random):
    """Of two models (2, n): half of the variance is common to both, half of each part to the images of a patient."""

    def part(*shape):
        own, common = random.standard_normal((2, *shape)), random.standard_normal((1, *shape))
        return np.sqrt(ALIKE) * common + np.sqrt(1 - ALIKE) * own

    return (np.sqrt(ICC) * part(PATIENTS, 1) + np.sqrt(1 - ICC) * part(PATIENTS, IMAGES)).reshape(2, -1)


def simulate(random, distances, dice):
    """Answers of two models, with the distances they see between sick and well, and the height of their Dice."""
    sick = np.repeat(np.append([True, True, False, False], random.random(PATIENTS - 4) < 0.5), IMAGES)
    models = []
    for score, overlap, distance, mean in zip(latents(random), latents(random), distances, dice, strict=True):
        chance = ndtr(score + distance * (sick - 0.5))
        two = np.stack([~sick, sick], axis=1), np.stack([chance <= 0.5, chance > 0.5], axis=1)
        cases = Cases(*two, np.stack([1 - chance, chance], axis=1), GROUPS, NAMES)
        values = np.full((len(sick), 1, len(CLASS_METRICS)), 0.5)
        values[:, 0, 0] = ndtr(mean + 0.8 * overlap)
        masks = MaskCases(values, np.zeros(values.shape, dtype=bool), GROUPS, np.array([True]))
        shown = np.ones((len(sick), 1), dtype=bool)
        level = Level(np.arange(len(sick)), GROUPS, cases, MaskLevel(masks, shown, ("disc",), "px"))
        models.append(Answers((level,)))
    return models


def within(count, repetitions, share):
    """Whether chance could have made so many of so many, all but once in ten thousand."""
    return binom.ppf(5e-5, repetitions, share) <= count <= binom.ppf(1 - 5e-5, repetitions, share)
