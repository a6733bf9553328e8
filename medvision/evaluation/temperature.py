"""Temperature scaling: how sure a network may be, learnt from the validation split.

Source: Guo, Pleiss, Sun & Weinberger, On Calibration of Modern Neural Networks (ICML 2017).
"""

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import expit, log_softmax, softmax

SMALLEST = float(np.finfo(np.float32).tiny)
# Values closer to 1 than half the spacing of float32 below 1 have become 1.
CLOSEST_TO_ONE = 2.0**-25
BOUNDS = (0.05, 100.0)


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


def fit_temperature(probabilities: np.ndarray, truth: np.ndarray, *, multilabel: bool) -> tuple[float, str | None]:
    """The temperature with the smallest negative log likelihood.

    Args:
        probabilities: (n, K) float64 in [0, 1], of validation images.
        truth: (n, K) bool.
        multilabel: one temperature for all labels, each with its sigmoid.

    Returns:
        The temperature, 1 where the images do not tell it, and then why, else None.
    """
    if (truth.all() or not truth.any()) if multilabel else truth.any(axis=0).sum() < 2:
        return 1.0, "temperature 1: the validation split shows one class only, which says nothing of it"
    logits = _logits(probabilities, CLOSEST_TO_ONE) if multilabel else _logs(probabilities)
    if _separated(logits, truth, multilabel):
        return 1.0, "temperature 1: the validation split has no mistakes, which says nothing of it"

    def loss(log_temperature: float) -> float:
        cooled = logits / np.exp(log_temperature)
        if multilabel:
            return float(np.logaddexp(0, np.where(truth, -cooled, cooled)).mean())
        return float(-log_softmax(cooled, axis=1)[truth].mean())

    low, high = np.log(BOUNDS)
    found = float(minimize_scalar(loss, bounds=(low, high), method="bounded", options={"xatol": 1e-6}).x)
    if found > high - 1e-3:
        return 1.0, "temperature 1: on the validation split no temperature makes the probabilities better than chance"
    if found < low + 1e-3:
        return 1.0, f"temperature 1: the best one for the validation split lies below {BOUNDS[0]}, too extreme to trust"
    return float(np.exp(found)), None


def _separated(logits: np.ndarray, truth: np.ndarray, multilabel: bool) -> bool:
    """Whether every answer is right, so that the likelihood grows without end as the temperature falls."""
    if multilabel:
        return bool((np.where(truth, logits, -logits) > 0).all())
    others = np.where(truth, -np.inf, logits).max(axis=1)
    return bool((logits[truth] > others).all())
