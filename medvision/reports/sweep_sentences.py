"""What a sweep says in sentences: the answer, how sure the choice is, what cannot be said."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from medvision.evaluation.decimals import MOST, supported_decimals
from medvision.evaluation.text import ENOUGH_PATIENTS
from medvision.reports.cells import Entry
from medvision.reports.comparison_tables import metric_title
from medvision.reports.cost import time_text
from medvision.reports.data_sentences import counted, listed
from medvision.reports.page_tables import answer_text
from medvision.reports.result_sentences import said
from medvision.reports.sweep_importance import FEWEST_TRIALS, LEAST_EXPLAINED, Importance
from medvision.reports.sweep_inputs import Parameter, SweepInputs, value_text

VALIDATION = "val/"
EDGE = 0.03
FEWEST_NUMBERS = 3
MOST_NAMED = 5
HEADLINES = ("auroc", "balanced_accuracy", "dice")
METHODS = {
    "grid": "every combination of the listed values (grid)",
    "random": "drawn at random",
    "bayes": "proposed from the trials before, by a Gaussian process (bayes)",
}
STATES = {
    "finished": "finished",
    "stopped": "stopped early",
    "failed": "failed",
    "running": "running",
    "waiting": "waiting",
}


def metric_name(inputs: SweepInputs) -> str:
    """The metric as people call it: `F1 (macro) on the validation split`."""
    name = inputs.found["metric"]["name"]
    if not name.startswith(VALIDATION):
        return str(name)
    where = "validation images, mean of the folds" if inputs.folds else "the validation split"
    return f"{metric_title(name.removeprefix(VALIDATION))} on {where}"


def value_digits(inputs: SweepInputs) -> int:
    """Decimals of the metric: no more than its number of cases supports, of a loss three."""
    if inputs.found["metric"]["name"].endswith("loss"):
        return MOST
    counts = [
        entry["n"] for entry in _image_entries(inputs, "test" if inputs.folds else "val").values() if "n" in entry
    ]
    return supported_decimals(counts[0]) if counts else MOST


def measure_text(value: float, digits: int) -> str:
    """A value of the metric; what is far from 1, such as the loss of a training that diverged, in three digits.

    >>> measure_text(0.91234, 2), measure_text(123456.7, 3), measure_text(float("nan"), 3)
    ('0.91', '1.23e+05', '–')
    """
    if math.isnan(value):
        return "–"
    return f"{value:z.{digits}f}" if abs(value) < 1000 else f"{value:.3g}"


def _image_entries(inputs: SweepInputs, split: str) -> Mapping[str, Entry]:
    return (inputs.winner.get(split) or {}).get("image") or {}


def question_sentence(inputs: SweepInputs) -> str:
    """What is asked: the question of the experiment, and which settings answer it best."""
    extreme = "highest" if inputs.maximize else "lowest"
    asked = str(inputs.experiment.get("question") or "").strip()
    return f"{asked} Which settings give the {extreme} {metric_name(inputs)}?".strip()


def answer_sentences(inputs: SweepInputs) -> list[str]:
    """The best trial with its value and settings, and what the test split says of it."""
    row, trials = inputs.best, inputs.trials
    if row is None:
        return ["No trial has a value of the metric: none was chosen."]
    digits = value_digits(inputs)
    settings = [f"{p.name} {p.texts[row]}" for p in inputs.parameters]
    more = len(settings) - MOST_NAMED
    named = listed([*settings[:MOST_NAMED], *([counted(more, "other")] if more > 0 else [])])
    valued = int(trials["value"].notna().sum())
    extreme = "highest" if inputs.maximize else "lowest"
    lead = (
        f"Of {valued} trials, trial {trials['trial'].iloc[row]} has the {extreme}"
        if valued > 1
        else f"Trial {trials['trial'].iloc[row]}, the only one with a value, has the"
    )
    drawn = "On simulated images: " if inputs.simulated else ""
    lead = f"{lead[:1].lower()}{lead[1:]}" if drawn else lead
    value = measure_text(trials["value"].iloc[row], digits)
    return [
        f"{drawn}{lead} {metric_name(inputs)}, {value}{f', with {named}' if named else ''}.",
        winner_sentence(inputs),
    ]


def winner_sentence(inputs: SweepInputs) -> str:
    """What the test split said of the winner."""
    simulated = ", all of them simulated" if inputs.simulated else ""
    where = "of all test folds pooled" if inputs.folds else "of the test split"
    if inputs.winner.get("test"):
        return answer_text(inputs.winner["test"], f"{where}{simulated}, scored once, after the choice")
    # The run folder of the winner is lost: what the sweep has kept of it.
    entries = inputs.found.get("test") or {}
    kept = [f"{metric_title(name)} {said(entries[name])}" for name in HEADLINES if name in entries]
    if kept:
        return f"On the cases {where}{simulated}, scored once, after the choice: {listed(kept)}."
    return "The test split was not scored."


def state_sentence(inputs: SweepInputs) -> str:
    """How many trials there are, by what became of them."""
    counts = inputs.trials["state"].value_counts()
    told = [f"{counts[state]} {title}" for state, title in STATES.items() if state in counts]
    seconds = float(inputs.trials["seconds"].sum())
    return f"{counted(len(inputs.trials), 'trial')}: {listed(told)}; {time_text(seconds)} together."


def choice_sentences(inputs: SweepInputs) -> list[str]:
    """That the choice was made on validation, and how many other trials could as well have been chosen."""
    if inputs.best is None:
        return []
    others = inputs.trials["value"].drop(index=inputs.best).dropna()
    if others.empty:
        return ["Nothing was chosen among trials: only this one has a value."]
    told = [
        "The trials were compared on validation images alone. The best of many is lucky as well as good, so its "
        "validation result is too good; the test result has no part in the choice."
    ]
    name = inputs.found["metric"]["name"].removeprefix(VALIDATION)
    entry = _image_entries(inputs, "val").get(name)
    if entry is not None and entry.get("low") is not None:
        # The interval is of the same metric, as the report of the winner has it.
        near = int(others.between(entry["low"], entry["high"]).sum())
        told.append(
            f"Per image, the winner's {metric_title(name)} on the validation split is {said(entry)}: {near} of "
            f"{counted(len(others), 'other trial')} lie in this interval."
        )
    return told


def edge_sentences(inputs: SweepInputs) -> list[str]:
    """The numbers of the winner that lie at an end of what was searched: what is beyond is not known."""
    row = inputs.best
    if row is None:
        return []
    ends = [(parameter, end) for parameter in inputs.parameters if (end := _end(parameter, row))]
    return [
        f"The winner's {parameter.name} ({parameter.texts[row]}) lies at the {end} end of what was searched; better "
        "values may lie beyond."
        for parameter, end in ends
    ]


def _end(parameter: Parameter, row: int) -> str:
    """`lower` or `upper`, of a range or of at least three numbers; else empty."""
    place = float(parameter.places()[row])
    if parameter.levels:
        numbers = pd.to_numeric(pd.Series(list(parameter.levels)), errors="coerce")
        if len(numbers) < FEWEST_NUMBERS or numbers.isna().any() or math.isnan(place):
            return ""
        chosen = numbers[int(parameter.values[row])]
        return "lower" if chosen == numbers.min() else "upper" if chosen == numbers.max() else ""
    if parameter.range is None or EDGE < place < 1 - EDGE:
        return ""
    return "lower" if place < 0.5 else "upper"


def importance_sentences(inputs: SweepInputs, importance: Importance) -> list[str]:
    """How far the shares can be trusted, or why there are none."""
    trials = counted(importance.trials, "trial")
    if not inputs.parameters:
        return ["No parameter was varied."]
    if importance.explained is None:
        few = importance.trials < FEWEST_TRIALS
        why = f"it takes {FEWEST_TRIALS}" if few else "they all have the same value"
        return [f"{trials} with a value: which parameter matters cannot be said ({why})."]
    if not importance.shares:
        explained = max(importance.explained, 0)
        return [
            f"A random forest fitted to {trials} explains {100 * explained:.0f} % of the variance of trials that its "
            f"trees have not seen. Of less than {100 * LEAST_EXPLAINED:.0f} % no shares are told: which parameter "
            "matters cannot be said."
        ]
    rest = max(0.0, 1 - sum(importance.shares.values()))
    weak = " That is little: take the shares for hints." if importance.explained < 0.5 else ""
    biased = (
        " Trials that were proposed from those before crowd where the metric is good: the shares are of that region "
        "more than of the whole space."
        if inputs.found["method"] == "bayes"
        else ""
    )
    return [
        f"A random forest fitted to {trials} explains {100 * importance.explained:.0f} % of the variance of trials "
        f"that its trees have not seen.{weak} A bar is the share of what the forest explains that a parameter explains "
        f"by itself; the remaining {100 * rest:.0f} % are their interactions.{biased}"
    ]


def limit_sentences(inputs: SweepInputs) -> list[str]:
    """What this sweep cannot say."""
    told = []
    if inputs.simulated:
        told.append("The images are simulated: nothing here says which settings are good for images of patients.")
    if inputs.folds:
        told.append(
            "A patient who is tested in one fold is a validation patient of another, so the choice has seen all "
            "patients and the pooled test result is a little too good. `cross_validate --choose` chooses anew inside "
            "every fold and has no such bias."
        )
    patients = [entry["patients"] for entry in _image_entries(inputs, "val").values() if "patients" in entry]
    if patients and patients[0] < ENOUGH_PATIENTS:
        found = counted(patients[0], "validation patient")
        told.append(f"The choice rests on {found}: with others another trial might win.")
    if (inputs.trials["state"] == "stopped").any():
        told.append("A trial that was stopped early might have become better; it counts with its best epoch.")
    failed = int((inputs.trials["state"] == "failed").sum())
    if failed:
        told.append(f"{counted(failed, 'trial')} failed and {'has' if failed == 1 else 'have'} no value.")
    if clipped := _clipped(inputs):
        told.append(clipped)
    told.append(
        "Each setting was trained once, from one seed: how much of a difference between two trials is chance is not "
        "known."
    )
    return told


def _clipped(inputs: SweepInputs) -> str | None:
    low, high = inputs.value_ends()
    values = inputs.trials["value"]
    far = int(((values < low) | (values > high)).sum())
    if not far:
        return None
    drawn = "is drawn" if far == 1 else "are drawn"
    return f"{counted(far, 'trial')} far worse than all others {drawn} at the edge of the axis."


def method_sentences(inputs: SweepInputs) -> list[str]:
    """How trials were proposed, stopped and compared."""
    found = inputs.found
    told = [
        f"Trials were {METHODS.get(found['method'], found['method'])}"
        + (f"; seed {found['seed']}." if found.get("seed") is not None else "."),
        f"Compared by {found['metric']['name']} ({found['metric']['goal']}), of each trial the best epoch"
        + (" of every fold, as the mean of the folds." if inputs.folds else "."),
    ]
    early = found.get("early_terminate")
    if early:
        given = ", ".join(f"{name} {value}" for name, value in early.items() if name != "type")
        told.append(
            f"Hyperband stopped trials early ({given}) with the arithmetic of W&B; L. Li et al., Hyperband, Journal of "
            "Machine Learning Research 18:185, 2018."
        )
    told.append(
        "Importance: functional ANOVA (F. Hutter, H. Hoos, K. Leyton-Brown, ICML 2014) as in Optuna (T. Akiba et al., "
        "KDD 2019); how well the forest predicts unseen trials is measured out of bag (L. Breiman, Machine Learning "
        "45, 2001)."
    )
    return told


def unshown_sentence(inputs: SweepInputs, drawn: Sequence[Parameter]) -> str:
    """Which parameters there was no room for; empty where all are drawn."""
    left = [p.name for p in inputs.parameters if p.name not in {d.name for d in drawn}]
    return f"Not drawn: {listed(left)}." if left else ""


def parameter_caption(parameter: Parameter, importance: Importance) -> str:
    """What stands below the figure of one parameter."""
    share = importance.shares.get(parameter.name)
    axis = " on a logarithmic axis" if parameter.log else ""
    alone = "" if share is None else f"; by itself it explains {100 * share:.0f} % of the differences"
    return f"{parameter.name}{axis}{alone}."


def spec_text(spec: Mapping[str, Any]) -> str:
    """The lines of a parameter in the sweep file, in words.

    >>> spec_text({"distribution": "log_uniform_values", "min": 1e-05, "max": 0.1})
    'log uniform values, min 1e-05, max 0.1'
    >>> spec_text({"values": [16, None]})
    'one of 16, null'
    """
    if "value" in spec:
        return value_text(spec["value"])
    if "values" in spec:
        chances = spec.get("probabilities")
        shown = ", ".join(map(value_text, spec["values"]))
        return f"one of {shown}" + (f" with probabilities {', '.join(map(str, chances))}" if chances else "")
    kind = str(spec.get("distribution", "uniform")).replace("_", " ")
    return ", ".join([kind, *(f"{name} {value}" for name, value in spec.items() if name != "distribution")])
