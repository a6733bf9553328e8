"""How much of the differences between trials each parameter explains: functional ANOVA on a random forest."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from optuna.importance import FanovaImportanceEvaluator
from sklearn.ensemble import RandomForestRegressor

from medvision.reports.sweep_inputs import Parameter, SweepInputs

Floats = npt.NDArray[np.float64]

TREES = 100
# On noise alone forests reach this almost never, but they often reach a little more than nothing.
LEAST_EXPLAINED = 0.3
FEWEST_TRIALS = 10
SEED = 0


@dataclass(frozen=True, kw_only=True)
class Importance:
    """What a forest has learned of the metric from the parameters.

    Args:
        shares: {parameter: share of the variance that it explains by itself}, the largest first; empty where nothing
            can be said.
        explained: R² of the forest on trials that its trees have not seen; None where there are too few trials.
        trials: how many trials it was fitted to.
    """

    shares: dict[str, float]
    explained: float | None
    trials: int


def parameter_importance(inputs: SweepInputs) -> Importance:
    """The share of the metric's variance over the search space that each parameter explains by itself.

    Functional ANOVA: F. Hutter, H. Hoos, K. Leyton-Brown, An Efficient Approach for Assessing Hyperparameter
    Importance, ICML 2014, in the implementation of Optuna. Its shares are of what a random forest believes, and it
    believes something of pure noise, too: no share is given unless a forest explains at least `LEAST_EXPLAINED` of the
    variance of trials that its trees have not seen (out of bag; L. Breiman, Random Forests, Machine Learning 45, 2001).
    Trials that were stopped early count with their best value.

    Args:
        inputs: with the trials; those that lack the metric or a parameter are left out.
    """
    values = inputs.shown_values()
    known = ~np.isnan(values)
    for parameter in inputs.parameters:
        known &= ~np.isnan(parameter.values)
    count = int(known.sum())
    if count < FEWEST_TRIALS or not inputs.parameters or np.ptp(values[known]) == 0:
        return Importance(shares={}, explained=None, trials=count)
    explained = _out_of_bag(inputs.parameters, known, values[known])
    if explained < LEAST_EXPLAINED:
        return Importance(shares={}, explained=explained, trials=count)
    shares = _fanova(inputs.parameters, known, values[known])
    return Importance(shares=shares, explained=explained, trials=count)


def _out_of_bag(parameters: Sequence[Parameter], known: npt.NDArray[np.bool_], values: Floats) -> float:
    columns = []
    for parameter in parameters:
        kept = parameter.values[known]
        shown = (kept[:, None] == np.arange(len(parameter.levels))) if parameter.levels else kept[:, None]
        columns.append(shown.astype(np.float64))
    forest = RandomForestRegressor(TREES, oob_score=True, random_state=SEED)
    return float(forest.fit(np.hstack(columns), values).oob_score_)


def _fanova(parameters: Sequence[Parameter], known: npt.NDArray[np.bool_], values: Floats) -> dict[str, float]:
    spaces: dict[str, BaseDistribution] = {}
    for parameter in parameters:
        if parameter.levels:
            spaces[parameter.name] = CategoricalDistribution(tuple(range(len(parameter.levels))))
        else:
            spaces[parameter.name] = FloatDistribution(*parameter.ends(), log=parameter.log)
    study = _quiet_study()
    for row, value in zip(np.flatnonzero(known), values, strict=True):
        drawn = {p.name: int(p.values[row]) if p.levels else float(p.values[row]) for p in parameters}
        study.add_trial(optuna.trial.create_trial(params=drawn, distributions=spaces, value=float(value)))
    found = FanovaImportanceEvaluator(n_trees=TREES, seed=SEED).evaluate(study)
    return {name: float(share) for name, share in sorted(found.items(), key=lambda pair: -pair[1])}


def _quiet_study() -> optuna.Study:
    """An empty study, of whose making Optuna writes no line."""
    told = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        return optuna.create_study(storage=optuna.storages.InMemoryStorage())
    finally:
        optuna.logging.set_verbosity(told)
