"""What the report of a sweep is made of: `sweep.json` and `trials.csv`, and what the winner's run folder adds."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from medvision.config.yaml_file import read_values
from medvision.reports.privacy import hide_home
from medvision.runs import RunFolder, read_json

Spec = Mapping[str, Any]
Floats = npt.NDArray[np.float64]

NULL = "null"
# A trial that did far worse than this many times the way from the median to the best says only that it failed.
FAR = 6.0


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """A setting that a sweep varied.

    Args:
        name: of the setting, such as `optimizer.lr`.
        texts: its value in each trial, in the order of the trials, as text; empty where it is not known.
        values: (N,) float64, the same as a number, or the place of the category in `levels`; nan where not known.
        levels: the categories in the order of the sweep file; empty of numbers.
        log: whether the numbers were drawn evenly on a logarithmic scale.
        range: the ends of the numbers that could be drawn; None where there are no ends.
    """

    name: str
    texts: Sequence[str]
    values: Floats
    levels: Sequence[str] = ()
    log: bool = False
    range: tuple[float, float] | None = None

    def places(self) -> Floats:
        """(N,) float64: where the values stand on an axis from 0 to 1."""
        low, high = self.ends()
        scale = np.log if self.log else np.asarray
        if high <= low:
            return np.where(np.isnan(self.values), np.nan, 0.5)
        return np.asarray((scale(self.values) - scale(low)) / (scale(high) - scale(low)), dtype=np.float64)

    def ends(self) -> tuple[float, float]:
        """The ends of the axis: of the range, or where it has none of the values."""
        if self.levels:
            return 0.0, float(len(self.levels) - 1)
        known = self.values[~np.isnan(self.values)]
        ends = [*(self.range or ()), *known]
        return (min(ends), max(ends)) if ends else (0.0, 0.0)


@dataclass(frozen=True, kw_only=True)
class SweepInputs:
    """What the report of a sweep is made of.

    Args:
        folder: the name of its folder.
        found: `sweep.json`.
        trials: `trials.csv`: trial, state, epochs, seconds, value (nan where there is none) and run.
        parameters: what was varied.
        fixed: settings that were the same in all trials.
        reports: {trial: address of its report, relative to the page}, as far as they are there.
        winner: the winner's `metrics.json`; empty where there is none.
        experiment: the winner's resolved experiment; empty where there is none.
        folds: a trial is a cross-validation.
        simulated: the images were drawn by a program.
    """

    folder: str
    found: Mapping[str, Any]
    trials: pd.DataFrame
    parameters: Sequence[Parameter]
    fixed: Mapping[str, str] = field(default_factory=dict)
    reports: Mapping[int, str] = field(default_factory=dict)
    winner: Mapping[str, Any] = field(default_factory=dict)
    experiment: Mapping[str, Any] = field(default_factory=dict)
    folds: bool = False
    simulated: bool = False

    @property
    def maximize(self) -> bool:
        """Whether more of the metric is better."""
        return bool(self.found["metric"]["goal"] == "maximize")

    @property
    def best(self) -> int | None:
        """The row of the winner in `trials`; None where there is none."""
        best = self.found.get("best")
        if not best:
            return None
        rows = np.flatnonzero(self.trials["trial"] == best["trial"])
        return int(rows[0]) if len(rows) else None

    @property
    def order(self) -> list[int]:
        """The rows of `trials`, the best first, those without a value last in their own order."""
        values = self.trials["value"] * (-1 if self.maximize else 1)
        rows = list(np.argsort(values.to_numpy(), kind="stable"))
        winner = self.best
        return [int(row) for row in rows] if winner is None else [winner, *(int(r) for r in rows if r != winner)]

    def shown_values(self) -> Floats:
        """(N,) float64: the metric of each trial, where a trial that failed altogether counts as the worst shown."""
        return np.clip(self.trials["value"].to_numpy(dtype=np.float64), *self.value_ends())

    def value_ends(self) -> tuple[float, float]:
        """The ends of the metric's axis: a trial that failed altogether must not squeeze all others."""
        values = self.trials["value"].dropna().to_numpy(dtype=np.float64)
        if not len(values):
            return 0.0, 1.0
        sign = 1 if self.maximize else -1
        best, middle, worst = (sign * float(f(sign * values)) for f in (np.max, np.median, np.min))
        far = best - FAR * (best - middle)
        worst = max(worst, far) if self.maximize else min(worst, far)
        worst = worst if middle != best else sign * float(np.min(sign * values))
        return min(best, worst), max(best, worst)


def parameter_of(name: str, spec: Spec, texts: Sequence[str]) -> Parameter:
    """A parameter from its lines in the sweep file and its column in `trials.csv`.

    Args:
        name: of the setting.
        spec: `{values: [...]}`, `{min, max}`, `{distribution, ...}` as in W&B's sweep files.
        texts: of the column.
    """
    if "values" in spec:
        levels = [value_text(value) for value in spec["values"]]
        places = {_key(level): place for place, level in reversed(list(enumerate(levels)))}
        found = [places.get(_key(value_text(text)), math.nan) for text in texts]
        shown = [levels[int(place)] if place == place else text for place, text in zip(found, texts, strict=True)]
        return Parameter(name=name, texts=shown, values=np.array(found, dtype=np.float64), levels=levels)
    values = pd.to_numeric(pd.Series(list(texts), dtype=object), errors="coerce").to_numpy(dtype=np.float64)
    kind = str(spec.get("distribution", "uniform"))
    ends = _ends(kind, float(spec["min"]), float(spec["max"])) if {"min", "max"} <= set(spec) else None
    known = values[~np.isnan(values)]
    positive = bool((known > 0).all()) and (ends is None or ends[0] > 0)
    numbers = [text if value != value else f"{value:.4g}" for text, value in zip(texts, values, strict=True)]
    return Parameter(name=name, texts=numbers, values=values, log="log" in kind and positive, range=ends)


def _ends(kind: str, low: float, high: float) -> tuple[float, float]:
    """What can be drawn; two of W&B's distributions are given by exponents of e, one by those of the inverse."""
    if kind in ("log_uniform", "q_log_uniform"):
        return math.exp(low), math.exp(high)
    return (math.exp(-high), math.exp(-low)) if kind == "inv_log_uniform" else (low, high)


def value_text(value: Any) -> str:
    """A value of a setting as text, with the home folder left out of a path."""
    return NULL if value is None or value == "" else hide_home(str(value))


def _key(text: str) -> float | str:
    """A table may write 16 as 16.0."""
    try:
        return float(text)
    except ValueError:
        return text


def flat_parameters(parameters: Mapping[str, Spec], prefix: str = "") -> Iterator[tuple[str, Spec]]:
    """(dotted name, spec) of every parameter, those of nested `parameters` too."""
    for name, spec in parameters.items():
        if isinstance(spec.get("parameters"), Mapping):
            yield from flat_parameters(spec["parameters"], f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", spec


def read_sweep(folder: RunFolder) -> SweepInputs:
    """Everything the report of a sweep tells.

    Raises:
        RunError: the sweep has not come to its end.
    """
    found = read_json(folder.sweep)
    # Text first: whether `1` is a number is for the sweep file to say.
    table = pd.read_csv(folder.trials, dtype=str, keep_default_na=False)
    numbers = {name: pd.to_numeric(table[name], errors="coerce") for name in ("epochs", "seconds", "value")}
    trials = table.assign(**numbers, trial=table["trial"].astype(int))
    trials["value"] = trials["value"].where(np.isfinite(trials["value"]))
    specs = {name: spec for name, spec in flat_parameters(found["parameters"]) if name in table}
    read = [parameter_of(name, spec, list(table[name])) for name, spec in specs.items() if "value" not in spec]
    fixed = {name: value_text(spec["value"]) for name, spec in specs.items() if "value" in spec}
    fixed |= {parameter.name: parameter.texts[0] for parameter in read if not _varied(parameter) and parameter.texts}
    return SweepInputs(
        folder=folder.path.name,
        found=found,
        trials=trials,
        parameters=[parameter for parameter in read if _varied(parameter)],
        fixed=fixed,
        reports=_reports(folder, trials),
        # A trial is a run or a cross-validation; of these only the latter has a plan.
        folds=any(RunFolder(folder.inside(run)).plan.is_file() for run in trials["run"] if run),
        simulated=_simulated(folder, trials),
        **_winner(folder, found),
    )


def _varied(parameter: Parameter) -> bool:
    low, high = parameter.ends()
    return high > low or len(set(parameter.texts)) > 1


def _reports(folder: RunFolder, trials: pd.DataFrame) -> dict[int, str]:
    pairs = zip(trials["trial"], trials["run"], strict=True)
    return {
        trial: f"{run}/report.html" for trial, run in pairs if run and RunFolder(folder.inside(run)).report.is_file()
    }


def _simulated(folder: RunFolder, trials: pd.DataFrame) -> bool:
    """Of the first run that tells: all trials are of one data set."""
    for run in filter(None, trials["run"]):
        path = folder.inside(run)
        for found in [RunFolder(path), *map(RunFolder, sorted((path / "parts").glob("*")))]:
            if found.environment.is_file():
                return bool(read_json(found.environment)["data"]["simulated"])
    return False


def _winner(folder: RunFolder, found: Mapping[str, Any]) -> dict[str, Any]:
    best = found.get("best")
    if not best:
        return {}
    run = RunFolder(folder.inside(best["run"]))
    return {
        "winner": read_json(run.metrics) if run.metrics.is_file() else {},
        "experiment": read_values(run.experiment) if run.experiment.is_file() else {},
    }
