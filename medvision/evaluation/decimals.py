"""How many decimals a number of cases supports.

One case among n moves a proportion by 1/n, and decimals beyond that say more than was counted: whole percents up to a
hundred cases, tenths of a percent beyond. See Lang and Altman, Basic Statistical Reporting for Articles Published in
Biomedical Journals (SAMPL), 2013.
"""

FEWEST, MOST = 2, 3
MANY = 100


def supported_decimals(cases: int, most: int = MOST) -> int:
    """The decimals of a proportion, or of a mean of values between 0 and 1.

    Args:
        cases: images, or patients where several images are of one.
        most: more are never given.

    Returns:
        2 of at most 100 cases, 3 of more, and at most `most`.

    >>> [supported_decimals(cases) for cases in (1, 10, 15, 100, 101, 5000)]
    [2, 2, 2, 2, 3, 3]
    """
    return min(most, FEWEST if cases <= MANY else MOST)
