"""What a comparison says in sentences: the question, the answer, and what cannot be said."""

from collections.abc import Mapping
from typing import Any

from medvision.evaluation.text import ENOUGH_PATIENTS, UNITS
from medvision.reports.comparison_figures import excludes_zero
from medvision.reports.comparison_inputs import (
    UNDEFINED,
    ComparisonInputs,
    ModelFacts,
    entry_of,
    headlines,
)
from medvision.reports.comparison_tables import case_text, difference_cell, metric_title, name_of_test, p_text
from medvision.reports.data_sentences import counted, listed
from medvision.reports.model_sentences import network_name
from medvision.reports.result_sentences import said

MOST_NAMED = 4


def question_sentence(inputs: ComparisonInputs) -> str:
    """What is asked: the question that all experiments share, and between whom."""
    questions = {str(model.experiment.get("question") or "").strip() for model in inputs.models}
    shared = questions.pop() if len(questions) == 1 else ""
    names = inputs.names if len(inputs.names) <= MOST_NAMED else [counted(len(inputs.names), "model")]
    of = f"Which of {listed(names)}"
    degree = "better" if len(inputs.names) == 2 else "best"
    return f"{shared} {of} answers it {degree}?" if shared else f"{of} is {degree}?"


def model_sentence(model: ModelFacts) -> str:
    """What a model is, in a few words: network and first weights, or features and estimator."""
    settings = model.experiment["model"]
    if settings.get("task") == "baseline":
        features = settings.get("features") or ""
        named = listed([str(name) for name in features]) if isinstance(features, list) else str(features)
        estimator = str(settings.get("estimator") or "").replace("_", " ")
        backbone = settings.get("backbone")
        of = f" of {backbone}" if backbone and "embedding" in named else ""
        return f"classical baseline, {estimator} on {named} features{of}"
    pretrained = settings.get("pretrained")
    start = ", random first weights" if pretrained is False else ", pretrained" if pretrained else ""
    return f"{network_name(settings)}{start}"


def answer_sentence(inputs: ComparisonInputs) -> str:
    """The answer: the highest value of the first metric, and how far the others are below it."""
    level, metric = inputs.level, inputs.primary
    found = inputs.comparison["levels"][level]
    known = {name: entry_of(inputs, level, name, metric)["value"] for name in inputs.names}
    values = {name: value for name, value in known.items() if value is not None}
    title = metric_title(metric, entry_of(inputs, level, inputs.names[0], metric))
    drawn = ", all of them simulated," if inputs.simulated else ""
    where = f"On the same {case_text(found, level)}{drawn}"
    if len(values) < 2:
        return f"{where} the {title} of fewer than two models is defined: nothing can be compared."
    best = max(values, key=lambda name: values[name])
    value = said(entry_of(inputs, level, best, metric))
    if len(set(values.values())) == 1:
        return f"{where} all models have the same {title}: {value}. That does not show that they are equally good."
    degree = "higher" if len(values) == 2 else "highest"
    lead = f"{where} {best} has the {degree} {title}: {value}."
    others = [name for name in values if name != best]
    told = [_against(inputs, best, name) for name in others[: MOST_NAMED - 1]]
    rest = len(others) - len(told)
    more = [f"{counted(rest, 'more model')} in the tables below."] if rest else []
    return " ".join([lead, *told, *more])


def _against(inputs: ComparisonInputs, best: str, other: str) -> str:
    """How far a model is from the best, and whether that can be told from chance."""
    level, metric = inputs.level, inputs.primary
    entry, tests = difference_of(inputs, best, other)
    if entry["value"] is None:
        return f"Its difference to {other} is undefined."
    value, below = difference_cell({key: found for key, found in entry.items() if key != "p"})
    interval = f" (95 % interval {below[0]})" if below else ""
    title = metric_title(metric, entry_of(inputs, level, other, metric))
    tested = [test for test in tests if test["metric"] == metric and test["p_holm"] is not None]
    adjusted = "".join(f", p {_equals(test['p_holm'])} ({name_of_test(test)}, Holm's correction)" for test in tested)
    verdict = (
        "."
        if excludes_zero(entry)
        else ": the interval holds 0, so which of the two is better cannot be said, nor that they are equal."
    )
    if not below:
        verdict = ": how sure that is cannot be said."
    return f"Against {other} the difference in {title} is {value}{interval}{adjusted}{verdict}"


def _equals(p: float) -> str:
    text = p_text(p)
    return text if text.startswith("<") else f"= {text}"


def difference_of(inputs: ComparisonInputs, model: str, other: str) -> tuple[dict[str, Any], list[Mapping[str, Any]]]:
    """The difference `model − other` of the first metric with its interval, turned round where need be, and the tests.

    Args:
        inputs: what is compared.
        model: one of the models.
        other: another one.
    """
    for pair in inputs.comparison["levels"][inputs.level]["pairs"]:
        if {pair["a"], pair["b"]} == {model, other}:
            entry = dict(pair["differences"].get(inputs.primary, UNDEFINED))
            return (entry if pair["b"] == model else _turned(entry)), pair["tests"]
    return dict(UNDEFINED), []


def _turned(entry: dict[str, Any]) -> dict[str, Any]:
    """The same difference, taken the other way round."""
    signs = {"value": "value", "low": "high", "high": "low"}
    turned = {key: None if entry[source] is None else 0.0 - entry[source] for key, source in signs.items()}
    return {**entry, **turned}


def same_sentence(inputs: ComparisonInputs) -> str:
    """How the models were tested."""
    level = inputs.level
    told = [f"Every model was tested on the same {case_text(inputs.comparison['levels'][level], level)}"]
    if inputs.folds > 1:
        repeats = f", {inputs.repeats} times" if inputs.repeats > 1 else ""
        told.append(
            f"in the same {inputs.folds} folds{repeats}: each image was predicted by networks that saw no image of "
            "its group, and the predictions of all folds are pooled"
        )
    return f"{', '.join(told)}. Rows of the tables are joined on the image; patients and targets are the same in all."


def limit_sentences(inputs: ComparisonInputs) -> list[str]:
    """What this comparison cannot say."""
    level = inputs.comparison["levels"][inputs.level]
    told = []
    if inputs.simulated:
        told.append("The images are simulated: nothing here says which model is better on patients.")
    if level["patients"] < ENOUGH_PATIENTS:
        unit = "patients" if level["patients"] < level["n"] else UNITS[inputs.level]
        told.append(f"Only {level['patients']} {unit}: interpret intervals and p values with care.")
    once = "Each model was trained once: how" if inputs.folds == 1 else "How"
    told.append(
        f"{once} far another seed, or another set of training patients, would move a model is not in the intervals, "
        "which are those of the test patients."
    )
    if any(not excludes_zero(pair["differences"].get(inputs.primary, UNDEFINED)) for pair in level["pairs"]):
        told.append("A difference whose interval holds 0 is no proof that two models are equally good.")
    if len(inputs.models) > 2:
        told.append("The best of several models was found on the patients it is judged on: expect a little less.")
    told.append(
        "Patients, devices and labels are those of this data set; what holds on those of another hospital was not seen."
    )
    if len(headlines(inputs, inputs.level)) > 1:
        told.append(
            f"The answer is about {metric_title(inputs.primary)}; another metric may order the models in another way."
        )
    return told
