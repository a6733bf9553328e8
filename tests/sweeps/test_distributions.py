import math

import numpy as np
import pytest
from scipy import stats

from medvision.sweeps.distributions import TAKES, grid_values, ppf, round_to, same

QUANTILES = [(k + 0.5) / 199 for k in range(199)]
# The same by scipy's own distributions, in W&B's words: `log_uniform` takes exponents, `inv_` means log(1/x).
REFERENCES = {
    "uniform": ({"min": 1.5, "max": 4}, stats.uniform(1.5, 2.5)),
    "log_uniform": ({"min": -9, "max": -1}, stats.loguniform(math.exp(-9), math.exp(-1))),
    "log_uniform_values": ({"min": 1e-5, "max": 0.1}, stats.loguniform(1e-5, 0.1)),
    "inv_log_uniform": ({"min": 1, "max": 5}, stats.loguniform(math.exp(-5), math.exp(-1))),
    "inv_log_uniform_values": ({"min": 1e-4, "max": 0.1}, stats.loguniform(1e-4, 0.1)),
    "normal": ({"mu": 2, "sigma": 3}, stats.norm(2, 3)),
    "log_normal": ({"mu": -2, "sigma": 1.5}, stats.lognorm(s=1.5, scale=math.exp(-2))),
    "beta": ({"a": 2, "b": 5}, stats.beta(2, 5)),
}


@pytest.mark.parametrize("kind", REFERENCES)
def test_numbers_have_the_quantiles_of_scipy(kind):
    given, reference = REFERENCES[kind]
    found = [ppf({"distribution": kind, **given}, u) for u in QUANTILES]
    assert found == pytest.approx(list(reference.ppf(QUANTILES)), rel=1e-9)


@pytest.mark.parametrize(
    ("kind", "other"),
    [(kind, kind.removeprefix("q_")) for kind in TAKES if kind.startswith("q_")],
)
@pytest.mark.parametrize("q", [2, 0.25])
def test_steps_are_multiples_and_whole_for_a_whole_step(kind, other, q):
    given = REFERENCES.get(other, REFERENCES["uniform"])[0]
    for u in QUANTILES[::10]:
        value = ppf({"distribution": kind, **given, "q": q}, u)
        assert value / q == pytest.approx(round(value / q))
        assert abs(value - ppf({"distribution": other, **given}, u)) <= q / 2 + 1e-9
        assert isinstance(value, type(q))


def test_steps_by_hand():
    assert [round_to(value, 8) for value in (3.9, 4.1, 12.5)] == [0, 8, 16]
    assert round_to(0.62, 0.25) == 0.5


def test_whole_numbers_are_equally_likely_up_to_both_ends():
    spec = {"distribution": "int_uniform", "min": 3, "max": 6}
    found = [ppf(spec, u) for u in np.arange(4000) / 4000]
    assert [found.count(value) for value in range(3, 7)] == pytest.approx([1000] * 4, abs=1)
    reference = stats.randint(3, 7).ppf(QUANTILES)
    assert [ppf(spec, u) for u in QUANTILES] == list(reference)


def test_categories_by_hand():
    spec = {"distribution": "categorical", "values": ["a", None, [1, 2], False]}
    assert [ppf(spec, u) for u in (0.0, 0.1, 0.3, 0.6, 0.9)] == ["a", "a", None, [1, 2], False]
    weighted = {"distribution": "categorical_w_probabilities", "values": "abc", "probabilities": [0.2, 0.5, 0.3]}
    assert "".join(ppf(weighted, u) for u in (0.0, 0.19, 0.2, 0.69, 0.7, 0.9999)) == "aabbcc"
    rounded = {"distribution": "categorical_w_probabilities", "values": "ab", "probabilities": [0.5, 0.4999999]}
    assert ppf(rounded, 0.99999999) == "b"
    assert ppf({"distribution": "constant", "value": None}, 0.3) is None


def test_what_a_grid_tries():
    assert grid_values({"distribution": "int_uniform", "min": -1, "max": 2}) == [-1, 0, 1, 2]
    # As in W&B's engine, without the upper end.
    assert grid_values({"distribution": "q_uniform", "min": 0.0, "max": 1.0, "q": 0.25}) == [0, 0.25, 0.5, 0.75]
    assert grid_values({"distribution": "categorical", "values": [3, 1, 3.0, True, [1], [1.0]]}) == [3, 1, True, [1]]
    assert grid_values({"distribution": "uniform", "min": 0, "max": 1}) is None
    assert grid_values({"distribution": "constant", "value": "x"}) == ["x"]


def test_equal_values_have_equal_texts():
    assert same({"a": [2.0, None]}) == same({"a": [2, None]})
    assert len({same(value) for value in (1, True, "1", None, "None", [1], 1.5)}) == 7
