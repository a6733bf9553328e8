"""Temperature scaling: how sure a network may be, learnt from the validation split.

Source: Guo, Pleiss, Sun & Weinberger, On Calibration of Modern Neural Networks (ICML 2017), with a prior.
"""

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import expit, log_softmax, softmax

SMALLEST = float(np.finfo(np.float32).tiny)
# Values closer to 1 than half the spacing of float32 below 1 have become 1.
CLOSEST_TO_ONE = 2.0**-25
BOUNDS = (0.05, 100.0)
# Two of three temperatures lie between 1/2 and 2 before anything is known.
SPREAD = float(np.log(2))


def temper(probabilities: np.ndarray, temperature: float, *, multilabel: bool) -> np.ndarray:
    """Divide the logits of a network by a temperature; above 1 it becomes less sure.

    Args:
        probabilities: (n, K) float64 in [0, 1], made of float32.
        temperature: positive.
        multilabel: a sigmoid each class; otherwise a softmax, which leaves the most probable class what it is.

    Returns:
        (n, K) float64 in [0, 1].
    """
    if multilabel:
        return expit(_logits(probabilities, CLOSEST_TO_ONE) / temperature)
    return softmax(_logs(probabilities) / temperature, axis=1)


def untemper(probabilities: np.ndarray, temperature: float, *, multilabel: bool) -> np.ndarray:
    """What `temper` was given.

    Args:
        probabilities: (n, K) float64 in [0, 1].
        temperature: that they were tempered with.
        multilabel: a sigmoid each class; otherwise a softmax.
    """
    if multilabel:
        return expit(_logits(probabilities, SMALLEST) * temperature)
    return softmax(_logs(probabilities) * temperature, axis=1)


def _logs(probabilities: np.ndarray) -> np.ndarray:
    return np.log(np.maximum(probabilities, SMALLEST))


def _logits(probabilities: np.ndarray, closest: float) -> np.ndarray:
    return _logs(probabilities) - np.log(np.maximum(1 - probabilities, closest))


def fit_temperature(
    probabilities: np.ndarray, truth: np.ndarray, groups: np.ndarray, *, multilabel: bool
) -> tuple[float, str | None]:
    """The most probable temperature, given what the validation patients show and what temperatures usually are.

    A few patients alone would ask for extreme temperatures, another one in every fold. Each patient counts as one
    observation, however many images; beforehand the logarithm of the temperature is taken for normally distributed
    around 0 (temperature 1) with `SPREAD` (a weakly informative prior: Gelman et al., Annals of Applied Statistics,
    2008). Of a hundred patients it changes next to nothing.

    Args:
        probabilities: (n, K) float64 in [0, 1], of validation images.
        truth: (n, K) bool.
        groups: (n,) int64, the number of the patient.
        multilabel: one temperature for all labels, each with its sigmoid.

    Returns:
        The temperature, 1 where the images do not tell it, and then why, else None.
    """
    if (truth.all() or not truth.any()) if multilabel else truth.any(axis=0).sum() < 2:
        return 1.0, "temperature 1: the validation split shows one class only, which says nothing of it"
    logits = _logits(probabilities, CLOSEST_TO_ONE) if multilabel else _logs(probabilities)
    weights = 1 / np.bincount(groups)[groups]

    def loss(log_temperature: float) -> float:
        cooled = logits / np.exp(log_temperature)
        if multilabel:
            missed = np.logaddexp(0, np.where(truth, -cooled, cooled)).mean(axis=1)
        else:
            missed = -log_softmax(cooled, axis=1)[truth]
        return float(weights @ missed + (log_temperature / SPREAD) ** 2 / 2)

    low, high = np.log(BOUNDS)
    found = float(minimize_scalar(loss, bounds=(low, high), method="bounded", options={"xatol": 1e-6}).x)
    if found > high - 1e-3:
        return 1.0, "temperature 1: on the validation split no temperature makes the probabilities better than chance"
    if found < low + 1e-3:
        return 1.0, f"temperature 1: the best one for the validation split lies below {BOUNDS[0]}, too extreme to trust"
    return float(np.exp(found)), None
