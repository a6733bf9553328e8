"""The distributions of W&B's sweep format: which value a parameter has at a quantile, and which it has in a grid.

The names and meanings are those of https://docs.wandb.ai/models/sweeps/sweep-config-keys#distribution-options-for-random-and-bayesian-search
"""

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.special import betaincinv, ndtri

Spec = Mapping[str, Any]

BOUNDS = ("min", "max")
NORMAL, BETA = ("mu", "sigma"), ("a", "b")
# What each distribution takes; `values` or bounds without a name are categorical, int_uniform or uniform.
TAKES: Mapping[str, tuple[str, ...]] = {
    "constant": ("value",),
    "categorical": ("values",),
    "categorical_w_probabilities": ("values", "probabilities"),
    "int_uniform": BOUNDS,
    "uniform": BOUNDS,
    "q_uniform": (*BOUNDS, "q"),
    "log_uniform": BOUNDS,
    "log_uniform_values": BOUNDS,
    "q_log_uniform": (*BOUNDS, "q"),
    "q_log_uniform_values": (*BOUNDS, "q"),
    "inv_log_uniform": BOUNDS,
    "inv_log_uniform_values": BOUNDS,
    "normal": NORMAL,
    "q_normal": (*NORMAL, "q"),
    "log_normal": NORMAL,
    "q_log_normal": (*NORMAL, "q"),
    "beta": BETA,
    "q_beta": (*BETA, "q"),
}
DEFAULTS: Mapping[str, int] = {"q": 1, "mu": 0, "sigma": 1, "a": 1, "b": 1}


def ppf(spec: Spec, u: float) -> Any:
    """The value at a quantile (percent point function); drawn at a uniform `u`, values have the distribution.

    >>> ppf({"distribution": "q_uniform", "min": 0.0, "max": 1.0, "q": 0.25}, 0.6)
    0.5

    Args:
        spec: `distribution`, and all that it takes.
        u: quantile in [0, 1).

    Returns:
        A plain value; a whole number where the distribution or its `q` is whole.
    """
    kind = spec["distribution"]
    if kind == "constant":
        return spec["value"]
    if kind == "categorical":
        return spec["values"][_place(u, len(spec["values"]))]
    if kind == "categorical_w_probabilities":
        above = np.flatnonzero(u < np.cumsum(spec["probabilities"]))
        # The sum may miss 1 by rounding.
        return spec["values"][int(above[0]) if len(above) else -1]
    if kind == "int_uniform":
        return spec["min"] + _place(u, spec["max"] - spec["min"] + 1)
    value = _number(kind.removeprefix("q_"), spec, u)
    return round_to(value, spec["q"]) if kind.startswith("q_") else value


def round_to(value: float, q: float) -> float | int:
    """The nearest multiple of `q`, whole where `q` is."""
    rounded = float(np.round(value / q)) * q
    return int(rounded) if isinstance(q, int) else rounded


def _place(u: float, count: int) -> int:
    """Which of so many equally likely places a quantile falls into."""
    return max(math.ceil(u * count) - 1, 0)


def _number(kind: str, spec: Spec, u: float) -> float:
    if kind == "beta":
        return float(betaincinv(spec["a"], spec["b"], u))
    if kind in ("normal", "log_normal"):
        value = spec["mu"] + spec["sigma"] * float(ndtri(u))
        return math.exp(value) if kind == "log_normal" else value
    low, high = float(spec["min"]), float(spec["max"])
    if kind == "uniform":
        return low + (high - low) * u
    if kind == "log_uniform_values":
        low, high = math.log(low), math.log(high)
    if kind == "inv_log_uniform_values":
        low, high = -math.log(high), -math.log(low)
    if kind.startswith("inv_"):
        # log(1/x) is uniform; a larger quantile is still a larger value.
        return math.exp(-(low + (high - low) * (1 - u)))
    return math.exp(low + (high - low) * u)


def grid_values(spec: Spec) -> list[Any] | None:
    """What a grid tries of a parameter, each value once, in W&B's order; None where the distribution has no grid.

    As in W&B's engine the upper end of `q_uniform` is left out, and 3 and 3.0 are one value.
    """
    kind = spec["distribution"]
    if kind == "constant":
        return [spec["value"]]
    if kind == "int_uniform":
        return list(range(spec["min"], spec["max"] + 1))
    if kind == "q_uniform":
        return list(np.arange(spec["min"], spec["max"], spec["q"]).tolist())
    if kind != "categorical":
        return None
    first: dict[str, Any] = {}
    for value in spec["values"]:
        first.setdefault(same(value), value)
    return list(first.values())


def same(value: Any) -> str:
    """A text that is equal for equal plain values, and for a whole number written as 3 or 3.0.

    >>> same(3.0) == same(3), same(True) == same(1)
    (True, False)
    """
    return json.dumps(_whole(value), sort_keys=True)


def _whole(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, Mapping):
        return {key: _whole(item) for key, item in value.items()}
    return [_whole(item) for item in value] if isinstance(value, list) else value
