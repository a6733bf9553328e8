import pytest

from medvision.evaluation.decimals import supported_decimals


@pytest.mark.parametrize("cases", [1, 2, 10, 15, 99, 100, 101, 999, 1000])
def test_neighbouring_proportions_are_told_apart(cases):
    digits = supported_decimals(cases)
    assert len({f"{k / cases:.{digits}f}" for k in range(cases + 1)}) == cases + 1


@pytest.mark.parametrize(("cases", "digits"), [(0, 2), (6, 2), (100, 2), (101, 3), (10**6, 3)])
def test_whole_percents_up_to_a_hundred_cases(cases, digits):
    assert supported_decimals(cases) == digits


def test_there_is_an_end_to_decimals():
    assert supported_decimals(10**6, most=2) == 2
    assert supported_decimals(5, most=1) == 1
