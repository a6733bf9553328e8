"""The points of a search space: those of a grid in their order, random ones, and how they read as settings."""

import itertools
import json
import math
import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from medvision.sweeps.distributions import Spec, grid_values, ppf, same
from medvision.sweeps.file import Name

Specs = Mapping[Name, Spec]
# {name: value}
Point = dict[Name, Any]

# So many draws without a new point mean that there is none left.
MOST_DRAWS = 1000


def grid(specs: Specs) -> Iterator[Point]:
    """Every combination in W&B's order: the parameters sorted by name, the last one changing fastest."""
    for values in itertools.product(*(grid_values(spec) or [] for spec in specs.values())):
        yield dict(zip(specs, values, strict=True))


def random_point(specs: Specs, seed: int, number: int, tried: Sequence[Point]) -> Point | None:
    """A random point that was not tried.

    Args:
        specs: of the parameters.
        seed: of the sweep.
        number: of the trial: whoever draws it draws the same.
        tried: points that are taken.

    Returns:
        None where there seems to be no other point.
    """
    generator = random.Random(f"{seed}/{number}")
    taken = {key_of(point) for point in tried}
    for _ in range(MOST_DRAWS):
        point = {name: ppf(spec, generator.random()) for name, spec in specs.items()}
        if key_of(point) not in taken:
            return point
    return None


def count_points(specs: Specs) -> float:
    """How many points there are; infinity where a parameter is no category and no whole number."""
    count = 1.0
    for spec in specs.values():
        if spec["distribution"] not in ("constant", "int_uniform") and "values" not in spec:
            return math.inf
        values = grid_values({**spec, "distribution": "categorical"} if "values" in spec else spec)
        count *= len(values or [])
    return count


def key_of(point: Point) -> str:
    """A text that is equal for equal points."""
    return same({json.dumps(name): value for name, value in point.items()})


def nested(point: Point) -> dict[str, Any]:
    """A point as settings: nested parameters become mappings, names with dots stay.

    >>> nested({("optimizer.lr",): 0.1, ("model", "dropout"): 0.5})
    {'optimizer.lr': 0.1, 'model': {'dropout': 0.5}}
    """
    settings: dict[str, Any] = {}
    for name, value in point.items():
        inner = settings
        for key in name[:-1]:
            inner = inner.setdefault(key, {})
        inner[name[-1]] = value
    return settings


def flat(point: Point) -> dict[str, Any]:
    """A point with names in one word each."""
    return {".".join(name): value for name, value in point.items()}
