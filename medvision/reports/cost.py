"""Time, hardware and memory of a run, as far as it was measured; prices are not known here."""

from collections.abc import Mapping
from typing import Any

Rows = list[tuple[str, str]]

_MINUTE, _HOUR = 60, 3600


def cost_rows(environment: Mapping[str, Any], epochs: int | None = None) -> Rows:
    """(what, value) pairs; what was not measured is left out.

    Args:
        environment: `environment.json`.
        epochs: that were trained; None where it is not known.

    >>> cost_rows({"device": "A GPU", "devices": 2, "training_seconds": 5400.0}, 10)[:2]
    [('device', '2 × A GPU'), ('training', '1 h 30 min')]
    """
    rows: Rows = []
    devices = environment.get("devices") or 1
    if environment.get("device"):
        rows.append(("device", f"{devices} × {environment['device']}" if devices > 1 else str(environment["device"])))
    seconds = environment.get("training_seconds")
    if seconds is not None:
        rows.append(("training", time_text(seconds)))
        if epochs:
            rows.append(("an epoch", time_text(seconds / epochs)))
        rows.append(("device-hours of training", f"{devices * seconds / _HOUR:.3g}"))
    each = environment.get("seconds_per_image")
    if each is not None:
        rows.append(("prediction, an image", f"{1000 * each:.3g} ms, with reading and saving"))
    for key, title in (
        ("peak_memory_mib", "most memory at a time"),
        ("peak_gpu_memory_mib", "most GPU memory at a time"),
    ):
        if environment.get(key) is not None:
            rows.append((title, f"{environment[key] / 1024:.3g} GiB"))
    return rows


def time_text(seconds: float) -> str:
    """A duration in the units that people say it in.

    >>> [time_text(s) for s in (0.25, 41.3, 61, 5400, 90000)]
    ['0.25 s', '41.3 s', '1 min 1 s', '1 h 30 min', '25 h 0 min']
    """
    if seconds < _MINUTE:
        return f"{seconds:.3g} s"
    if seconds < _HOUR:
        return f"{int(seconds // _MINUTE)} min {int(seconds % _MINUTE)} s"
    return f"{int(seconds // _HOUR)} h {int(seconds % _HOUR // _MINUTE)} min"
