"""How the error falls with the number of training images, and where it would go: error = a + b n^-c.

Sources: Cortes, Jackel, Solla, Vapnik & Denker, Learning Curves: Asymptotic Values and Rate of Convergence (NIPS 6,
1993), for the form; Hestness et al., Deep Learning Scaling is Predictable, Empirically (arXiv:1712.00409, 2017), for
its exponents; Figueroa, Zeng-Treitler, Kandula & Ngo, Predicting sample size required for classification performance
(BMC Medical Informatics and Decision Making 12:8, 2012), for the weighted fit and the extrapolation.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

FEWEST_SIZES = 3
"""Of fewer sizes every power law fits."""
SIZES_FOR_FLOOR = 4
"""A curve with `a` has three numbers, so that it goes through any three sizes: of these its end cannot be known."""
# Hestness et al. measured 0.07 to 0.35, and 0.5 to 1 are what theory has; a smaller exponent beside `a` is hardly told
# from a flat curve. Without `a`, an exponent of 0 is the flat curve.
WITH_FLOOR = np.geomspace(0.05, 2.0, 120)
WITHOUT_FLOOR = np.append(0.0, np.geomspace(0.002, 2.0, 160))
FINER = np.linspace(-0.95, 0.95, 12)


@dataclass(frozen=True, eq=False)
class PowerLaws:
    """Curves error(n) = a + b (n / reference)^-c, R of them, such as one a resample.

    Args:
        floor: (R,) float64, `a`: the error that no number of images takes away; 0 where none was fitted.
        scale: (R,) float64, `b`: what more images could still take away at `reference` images.
        exponent: (R,) float64, `c`.
        reference: number of images at which `scale` is said.
    """

    floor: Floats
    scale: Floats
    exponent: Floats
    reference: float

    @property
    def slope(self) -> Floats:
        """(R,) float64, the exponent; nan of a flat curve, which goes with any."""
        return np.where((self.scale > 0) & (self.exponent > 0), self.exponent, np.nan)

    def error(self, images: Floats) -> Floats:
        """The error of N numbers of images, (N, R) float64."""
        ratio = np.asarray(images, dtype=np.float64)[:, None] / self.reference
        return self.floor + self.scale * ratio**-self.exponent

    def images_for(self, error: Floats) -> Floats:
        """How many images bring a curve down to an error.

        Args:
            error: (R,) float64, one a curve.

        Returns:
            (R,) float64; infinite where the curve never comes there.
        """
        above = error - self.floor
        reached = (above > 0) & (self.scale > 0) & (self.exponent > 0)
        with np.errstate(over="ignore"):
            power = 1 / np.where(reached, self.exponent, 1)
            needed = (np.where(reached, self.scale, 1) / np.where(reached, above, 1)) ** power
        return np.where(reached, self.reference * needed, np.inf)


def fit_power_laws(sizes: Floats, errors: Floats, weights: Floats) -> PowerLaws:
    """Weighted least squares with a >= 0 and b >= 0; of fewer than 4 sizes with a = 0.

    For a given exponent the rest is a straight line, so that the best one is found among many: without starting values
    and local minima, and for all resamples at once.

    Args:
        sizes: (K,) float64, numbers of training images, at least 3 different ones.
        errors: (K, R) float64, 1 - metric, in R resamples.
        weights: (K,) float64, one over the variance of an error.

    Returns:
        R curves; a flat one where the error does not fall.
    """
    reference = float(sizes.max())
    share = (weights / weights.sum())[:, None]
    floored = len(sizes) >= SIZES_FOR_FLOOR
    grid = WITH_FLOOR if floored else WITHOUT_FLOOR
    best: dict[str, Floats] = {}
    least = np.full(errors.shape[1], np.inf)

    def consider(exponent: Floats) -> None:
        nonlocal least
        falling = (sizes / reference)[:, None] ** -exponent
        floor, scale = _fit_line(falling, errors, share, floored=floored)
        left = (share * (errors - floor - falling * scale) ** 2).sum(axis=0)
        better = left < least
        least = np.where(better, left, least)
        for name, value in (("floor", floor), ("scale", scale), ("exponent", exponent)):
            best[name] = np.where(better, value, best.get(name, value))

    for exponent in grid:
        consider(np.full(errors.shape[1], exponent))
    # Between the neighbours of the best one there is one minimum.
    nearest, step = best["exponent"], grid[-1] / grid[-2]
    for part in FINER:
        consider(np.minimum(nearest * step**part, grid[-1]))
    return PowerLaws(**best, reference=reference)


def _fit_line(falling: Floats, errors: Floats, share: Floats, *, floored: bool) -> tuple[Floats, Floats]:
    """Intercept and slope of errors over (K, R) values, neither below 0; weights (K, 1) sum to 1."""
    through_zero = (share * falling * errors).sum(axis=0) / (share * falling**2).sum(axis=0)
    if not floored:
        return np.zeros_like(through_zero), np.maximum(through_zero, 0)
    middle, mean = (share * falling).sum(axis=0), (share * errors).sum(axis=0)
    away = share * (falling - middle)
    slope = (away * errors).sum(axis=0) / (away * (falling - middle)).sum(axis=0)
    intercept = mean - slope * middle
    scale = np.where(slope <= 0, 0, np.where(intercept < 0, np.maximum(through_zero, 0), slope))
    floor = np.where(slope <= 0, mean, np.where(intercept < 0, 0, intercept))
    return np.maximum(floor, 0), scale
