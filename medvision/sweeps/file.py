"""A sweep file in W&B's own format, or all of its mistakes.

The format: https://docs.wandb.ai/models/sweeps/sweep-config-keys
"""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, PositiveInt, ValidationError, model_validator

from medvision.config.mistakes import Mistake, explain, to_lines
from medvision.config.settings import Section
from medvision.config.suggestions import suggest
from medvision.config.yaml_file import Location, read_file
from medvision.errors import ConfigError
from medvision.sweeps.distributions import DEFAULTS, TAKES, Spec, grid_values

Number = int | float
# The keys that lead to a parameter: one, or several of nested `parameters`.
Name = tuple[str, ...]


class Metric(Section):
    """What is compared: a column of `history.csv`, such as `val/auroc`.

    Args:
        name: of the metric.
        goal: which way is better; W&B's default is `minimize`.
        target: no new trial is begun once one is as good as this.
    """

    name: str
    goal: Literal["minimize", "maximize"] = "minimize"
    target: Number | None = None

    def better(self, value: float, than: float) -> bool:
        """Whether a value is better than another."""
        return value > than if self.goal == "maximize" else value < than


class EarlyTerminate(Section):
    """When a trial that falls behind is stopped: W&B's Hyperband.

    Args:
        type: of the rule.
        min_iter: the first epoch at which trials are compared.
        max_iter: in its place, the last epoch; `s` comparisons lie before it.
        s: how many.
        eta: the best 1/eta go on; comparisons lie a factor of eta apart.
        strict: compare the value at that epoch, not the best one so far. W&B's engine has it on by default.
    """

    type: Literal["hyperband"]
    min_iter: PositiveInt | None = None
    max_iter: PositiveInt | None = None
    s: PositiveInt | None = None
    eta: Annotated[Number, Field(gt=1)] = 3
    strict: bool = True

    @model_validator(mode="after")
    def _check_iterations(self) -> Self:
        if self.min_iter is None and (self.max_iter is None or self.s is None):
            raise ValueError("hyperband takes min_iter, or max_iter and s")
        if self.max_iter is not None and self.max_iter / self.eta < 1:
            raise ValueError(f"max_iter: {self.max_iter} leaves no comparison before it with eta: {self.eta:g}")
        return self


class Parameter(Section):
    """A setting that is varied: its values or its distribution, or more parameters inside it."""

    distribution: str | None = None
    value: Any = None
    values: Annotated[list[Any], Field(min_length=1)] | None = None
    probabilities: list[Annotated[Number, Field(ge=0)]] | None = None
    min: Number | None = None
    max: Number | None = None
    q: Annotated[Number, Field(gt=0)] | None = None
    mu: Number | None = None
    sigma: Annotated[Number, Field(ge=0)] | None = None
    a: Annotated[Number, Field(gt=0)] | None = None
    b: Annotated[Number, Field(gt=0)] | None = None
    parameters: "dict[str, Parameter] | None" = None

    @model_validator(mode="after")
    def _check_distribution(self) -> Self:
        given = self.model_fields_set - {"distribution"}
        if "parameters" in given:
            if self.model_fields_set != {"parameters"} or not self.parameters:
                raise ValueError("'parameters' holds settings, and stands alone")
            return self
        kind = self.kind
        if kind not in TAKES:
            raise ValueError(f"unknown distribution '{kind}'{suggest(kind, list(TAKES))}; known: {', '.join(TAKES)}")
        missing = [key for key in TAKES[kind] if key not in given and key not in DEFAULTS]
        if missing:
            raise ValueError(f"{kind} needs {' and '.join(missing)}")
        extra = sorted(given - set(TAKES[kind]))
        if extra:
            raise ValueError(f"{kind} takes {', '.join(TAKES[kind])}, not {', '.join(extra)}")
        self._check_numbers(kind)
        return self

    def _check_numbers(self, kind: str) -> None:
        if self.min is not None and self.max is not None:
            if kind == "int_uniform" and not (isinstance(self.min, int) and isinstance(self.max, int)):
                raise ValueError("int_uniform takes whole numbers")
            if self.min >= self.max:
                raise ValueError(f"min: {self.min} is not less than max: {self.max}")
            if kind.endswith("_values") and self.min <= 0:
                raise ValueError(f"{kind} takes a min above 0, got {self.min}")
        if self.probabilities is not None and self.values is not None:
            if len(self.probabilities) != len(self.values):
                raise ValueError(f"{len(self.values)} values have {len(self.probabilities)} probabilities")
            if not math.isclose(sum(self.probabilities), 1, abs_tol=1e-6):
                raise ValueError(f"the probabilities add up to {sum(self.probabilities):g}, not to 1")

    @property
    def kind(self) -> str:
        """The distribution, also where it is not named."""
        if self.distribution is not None:
            return self.distribution
        given = self.model_fields_set
        if "value" in given:
            return "constant"
        if "values" in given:
            return "categorical_w_probabilities" if "probabilities" in given else "categorical"
        whole = isinstance(self.min, int) and isinstance(self.max, int)
        if {"min", "max"} <= given:
            return "int_uniform" if whole else "uniform"
        raise ValueError("expected value, values, min and max, or a distribution")

    def spec(self) -> Spec:
        """The distribution with all that it takes, as plain values."""
        found = {key: getattr(self, key) for key in TAKES[self.kind]}
        filled = {key: DEFAULTS[key] if key in DEFAULTS and value is None else value for key, value in found.items()}
        return {"distribution": self.kind, **filled}


class SweepFile(Section):
    """What a sweep searches, and how.

    Args:
        method: `grid`, `random` or `bayes`.
        metric: what is compared.
        parameters: {setting: its values or distribution}; nested ones or with dots.
        command: how a trial is run, with W&B's macros such as `${args}`.
        name: of the sweep; null for that of its file.
        run_cap: how many trials; a grid has an end without it.
        early_terminate: when a trial is stopped; null for never.
        program: what `${program}` stands for.
        project: of W&B; not used here.
        entity: of W&B; not used here.
        description: for the reader.
    """

    method: Literal["grid", "random", "bayes"]
    metric: Metric
    parameters: Annotated[dict[str, Parameter], Field(min_length=1)]
    command: Annotated[list[str | Number], Field(min_length=1)]
    name: str | None = None
    run_cap: PositiveInt | None = None
    early_terminate: EarlyTerminate | None = None
    program: str | None = None
    project: str | None = None
    entity: str | None = None
    description: str | None = None

    @model_validator(mode="after")
    def _check_end(self) -> Self:
        if self.run_cap is None and self.method != "grid":
            raise ValueError(f"'run_cap' is missing: {self.method} has no end without it; write run_cap: 20")
        return self


@dataclass(frozen=True)
class Sweep:
    """A sweep file that was read.

    Args:
        file: its settings.
        specs: {name: spec}, in W&B's order.
        text: as it stood there.
        source: where.
    """

    file: SweepFile
    specs: Mapping[Name, Spec]
    text: str
    source: str

    @property
    def name(self) -> str:
        """Of the sweep."""
        return self.file.name or Path(self.source).stem

    @property
    def trials(self) -> int | None:
        """How many trials there will be at most; None where only the search space could say."""
        points = math.prod(len(grid_values(spec) or []) for spec in self.specs.values())
        if self.file.method != "grid":
            return self.file.run_cap
        return points if self.file.run_cap is None else min(points, self.file.run_cap)


def read_sweep(path: str | Path) -> Sweep:
    """Read a sweep file.

    Args:
        path: of the YAML file.

    Raises:
        ConfigError: every mistake, with file and line.
    """
    mistakes: list[str] = []
    # `${args}` and the like are W&B's, not variables of the environment.
    layer = read_file(str(path), 0, mistakes, expand=False)
    if mistakes:
        raise ConfigError(*mistakes)
    try:
        file = SweepFile.model_validate_json(json.dumps(layer.values), strict=True)
    except ValidationError as error:
        raise ConfigError(*to_lines(explain(error, layer.values, _unknown), layer)) from None
    specs = dict(_specs(file.parameters, ()))
    problems = [Mistake(_location(name), problem) for name, problem in _problems(file, specs)]
    if problems:
        raise ConfigError(*to_lines(problems, layer))
    return Sweep(file, specs, Path(path).read_text(encoding="utf-8-sig"), str(path))


def _specs(parameters: Mapping[str, Parameter], prefix: Name) -> Iterator[tuple[Name, Spec]]:
    """All parameters; sorted by name at each level, as W&B's engine does."""
    for name, parameter in sorted(parameters.items()):
        if parameter.parameters is not None:
            yield from _specs(parameter.parameters, (*prefix, name))
        else:
            yield (*prefix, name), parameter.spec()


def _problems(file: SweepFile, specs: Mapping[Name, Spec]) -> Iterator[tuple[Name, str]]:
    """What no single parameter shows."""
    dotted = [".".join(name) for name in specs]
    for name, spec in specs.items():
        if dotted.count(".".join(name)) > 1:
            yield name, "is given twice, with dots and nested"
        if file.method == "grid" and grid_values(spec) is None:
            yield name, f"a grid takes values or whole numbers, not {spec['distribution']}; method: random takes all"


def _location(name: Name) -> Location:
    return tuple(part for key in name for part in ("parameters", key))


def _unknown(location: Location) -> Mistake:
    inside = {1: SweepFile, 2: Metric if location[0] == "metric" else EarlyTerminate}
    kind = Parameter if location[0] == "parameters" else inside.get(len(location), SweepFile)
    path = ".".join(location)
    return Mistake(
        location, f"unknown setting '{path}'{suggest(location[-1], list(kind.model_fields))}", detached=False
    )
