"""Several tests at once: p values that stand for all of them together.

Source: Holm, A simple sequentially rejective multiple test procedure (Scandinavian Journal of Statistics 6, 1979).
"""

from collections.abc import Sequence


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Adjusted p values: those below 0.05 are wrong anywhere in the family with a chance of 5 % at most.

    Holds whatever the tests have to do with each other, as those of the same patients do.

    Args:
        p_values: of one family, in [0, 1]; None where a test says nothing, which counts as no test.

    Returns:
        In the same order, never below the p value itself.

    >>> holm([0.01, 0.04, None, 0.03])
    [0.03, 0.06, None, 0.06]
    """
    tested = sorted((p, place) for place, p in enumerate(p_values) if p is not None)
    adjusted: list[float | None] = [None] * len(p_values)
    highest = 0.0
    for rank, (p, place) in enumerate(tested):
        highest = max(highest, min(1.0, p * (len(tested) - rank)))
        adjusted[place] = highest
    return adjusted
