"""How many decimals a number of cases supports.

One case among n moves a proportion by 1/n, and decimals beyond that say more than was counted; see Lang and Altman,
Basic Statistical Reporting for Articles Published in Biomedical Journals (SAMPL), 2013.
"""

import math

MOST = 3


def supported_decimals(cases: int, most: int = MOST) -> int:
    """The fewest decimals that tell neighbouring proportions of so many cases apart.

    Args:
        cases: images, or patients where several images are of one.
        most: more are never given.

    Returns:
        At least 1 and at most `most`.

    >>> [supported_decimals(cases) for cases in (1, 10, 15, 100, 101, 5000)]
    [1, 1, 2, 2, 3, 3]
    """
    return min(most, max(1, math.ceil(math.log10(max(cases, 1)))))
