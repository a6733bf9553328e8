"""The points that a Gaussian process asks for, by Optuna."""

import json
import random
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, GPSampler, RandomSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial

from medvision.sweeps.distributions import Spec, ppf
from medvision.sweeps.points import Point, Specs

LARGEST_SEED = 2**32


class PerTrialSampler(BaseSampler):
    """Optuna's Gaussian process, with a seed of its own for every trial: no two processes ask for the same point.

    Args:
        seed: of the sweep.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """What the Gaussian process knows of."""
        return GPSampler(seed=0).infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """A point of the Gaussian process, which counts trials that still run; empty for the first ten."""
        return GPSampler(seed=self._draw(trial)).sample_relative(study, trial, search_space)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """A random value."""
        sampler = RandomSampler(seed=self._draw(trial, param_name))
        return sampler.sample_independent(study, trial, param_name, param_distribution)

    def _draw(self, trial: FrozenTrial, name: str = "") -> int:
        return random.Random(f"{self._seed}/{trial.number}/{name}").randrange(LARGEST_SEED)


def ask_gaussian_process(trial: Trial, specs: Specs) -> Point:
    """The point that a study with `PerTrialSampler` asks for.

    Numbers that are uniform, whole or logarithmic are asked for as such, all other distributions by their quantile.

    Args:
        trial: of the study.
        specs: of the parameters.
    """
    return {name: _ask(trial, ".".join(name), spec) for name, spec in specs.items()}


def _ask(trial: Trial, name: str, spec: Spec) -> Any:
    match spec["distribution"]:
        case "constant":
            return spec["value"]
        case "categorical" | "categorical_w_probabilities":
            # As text: Optuna takes no lists, and holds 1 and true for one.
            choices = [json.dumps(value) for value in spec["values"]]
            return json.loads(trial.suggest_categorical(name, choices))
        case "int_uniform":
            return trial.suggest_int(name, spec["min"], spec["max"])
        case "uniform" | "log_uniform_values" as kind:
            return trial.suggest_float(name, spec["min"], spec["max"], log=kind != "uniform")
    return ppf(spec, trial.suggest_float(name, 0, 1))
