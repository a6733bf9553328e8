import pytest

from medvision.evaluation.decimals import supported_decimals


@pytest.mark.parametrize("cases", [1, 2, 9, 10, 11, 15, 99, 100, 101, 999, 1000])
def test_neighbouring_proportions_are_told_apart_and_with_a_decimal_less_they_are_not(cases):
    digits = supported_decimals(cases)
    written = {f"{k / cases:.{digits}f}" for k in range(cases + 1)}
    assert len(written) == cases + 1
    if digits > 1:
        assert len({f"{k / cases:.{digits - 1}f}" for k in range(cases + 1)}) < cases + 1


def test_there_is_an_end_to_decimals():
    assert supported_decimals(10**6) == 3
    assert supported_decimals(10**6, most=2) == 2
    assert supported_decimals(0) == 1
