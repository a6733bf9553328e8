"""The points that the W&B server of the tests proposes."""

import itertools
import math
import random
from collections.abc import Iterator
from typing import Any


def propose(config: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The points of a sweep: all of a grid in order, else random ones without an end; nested parameters as dicts."""
    if config.get("method") == "grid":
        return _grid(config["parameters"])
    draw = random.Random(0)
    return (_draw(config["parameters"], draw) for _ in itertools.count())


def _grid(parameters: dict[str, Any]) -> Iterator[dict[str, Any]]:
    names = sorted(parameters)
    choices = [
        list(_grid(spec["parameters"]))
        if "parameters" in spec
        else spec["values"]
        if "values" in spec
        else [spec["value"]]
        for spec in (parameters[name] for name in names)
    ]
    return (dict(zip(names, point, strict=True)) for point in itertools.product(*choices))


def _draw(parameters: dict[str, Any], draw: random.Random) -> dict[str, Any]:
    return {name: _draw_one(spec, draw) for name, spec in parameters.items()}


def _draw_one(spec: dict[str, Any], draw: random.Random) -> Any:
    if "parameters" in spec:
        return _draw(spec["parameters"], draw)
    if "value" in spec:
        return spec["value"]
    if "values" in spec:
        return draw.choice(spec["values"])
    low, high = spec["min"], spec["max"]
    if spec.get("distribution") == "log_uniform_values":
        return math.exp(draw.uniform(math.log(low), math.log(high)))
    whole = isinstance(low, int) and isinstance(high, int) and spec.get("distribution") != "uniform"
    return draw.randint(low, high) if whole else draw.uniform(low, high)
