"""How many patients would settle a difference, if it is what it looks like.

Source: the normal approximation for a paired difference, as in Machin et al., Sample Sizes for Clinical, Laboratory and
Epidemiology Studies (4th edition, 2018), chapter 1, with the standard error that was found in place of an assumed one.
"""

import math

from scipy.special import ndtri

ALPHA = 0.05
POWER = 0.8


def patients_needed(
    difference: float, error: float, patients: int, *, alpha: float = ALPHA, power: float = POWER
) -> int:
    """Patients of the same mix after which a true difference of this size would be found with this power.

    The standard error shrinks with the root of the number of patients: n such that |difference| is as many standard
    errors as the quantiles of 1 - alpha / 2 and of the power together.

    Args:
        difference: that is taken for the true one; not 0.
        error: its standard error, of `patients` patients, above 0.
        patients: how many there are.
        alpha: of a two-sided test.
        power: chance to find it.

    >>> patients_needed(0.02, 0.01, 100)
    197
    """
    distance = float(ndtri(1 - alpha / 2) + ndtri(power))
    return math.ceil(patients * (distance * error / difference) ** 2)
