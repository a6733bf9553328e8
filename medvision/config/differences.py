"""In which settings two experiments differ, in words."""

from collections.abc import Mapping
from typing import Any

MOST_TOLD = 5


def differences(there: Mapping[str, Any], here: Mapping[str, Any]) -> str:
    """What differs between two nested mappings, such as experiments as plain values.

    Args:
        there: of a run that exists.
        here: of what was asked for.

    Returns:
        `optimizer.lr is 0.01 there and 0.1 here, …`, five settings at the most; empty where nothing differs.
    """
    before, now = _flatten(there), _flatten(here)
    differing = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    return ", ".join(f"{name} is {before.get(name)} there and {now.get(name)} here" for name in differing[:MOST_TOLD])


def _flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in values.items():
        found |= _flatten(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {f"{prefix}{name}": value}
    return found
