"""What learning curves say in sentences: the answer, how many images a point more would take, what cannot be said."""

from collections.abc import Mapping
from typing import Any

from medvision.evaluation.text import ENOUGH_PATIENTS, supported_digits
from medvision.reports.comparison_tables import metric_title
from medvision.reports.data_sentences import counted, listed
from medvision.reports.learning_curve_tables import UNDEFINED, metric_entry
from medvision.reports.result_sentences import said

Entry = Mapping[str, Any]
Found = Mapping[str, Any]

FEWEST_TOLD_REPEATS = 3


def answering_level(found: Found) -> str:
    """The level that answers: studies where there are any, else images."""
    return "study" if "study" in found["levels"] else next(iter(found["levels"]))


def question_sentence(found: Found) -> str:
    """What is asked: the question of the experiment, and what more images bring."""
    asked = "What do more training images bring" + (", and to which model?" if len(found["models"]) > 1 else "?")
    return f"{found['question']} {asked}".strip()


def answer_sentence(found: Found) -> str:
    """The metric of every model at the smallest and at the largest size, and how they differ there."""
    name = answering_level(found)
    level, sizes = found["levels"][name], found["sizes"]
    title = metric_title(level["headline"])
    drawn = "On simulated images, from" if found["simulated"] else "From"
    told = [
        f"{model} from {said(metric_entry(level, model, sizes[0], level['headline']))} "
        f"to {said(metric_entry(level, model, sizes[-1], level['headline']))}"
        for model in found["models"]
    ]
    lead = f"{drawn} {sizes[0]:,} to {sizes[-1]:,} training images, {title} per {name}: {'; '.join(told)}."
    pairs = (level.get("pairs") or {}).get(str(sizes[-1]), [])
    return " ".join([lead, *(_difference(pair, level["headline"], sizes[-1]) for pair in pairs[:1])])


def _difference(pair: Found, headline: str, size: int) -> str:
    entry = pair["differences"].get(headline, UNDEFINED)
    if entry["value"] is None:
        return f"With {size:,} images their difference is undefined."
    digits = supported_digits(entry)
    lead = f"With {size:,} images the difference {pair['b']} − {pair['a']} is {entry['value']:+z.{digits}f}"
    if entry["low"] is None:
        return f"{lead}; how sure that is cannot be said."
    lead += f" (95 % interval {entry['low']:+z.{digits}f} to {entry['high']:+z.{digits}f})"
    if entry["low"] <= 0 <= entry["high"]:
        return f"{lead}: which of the two is better cannot be said."
    return f"{lead}."


def need_sentences(found: Found, name: str) -> list[str]:
    """How many images more a point would take, a sentence a model; or why that cannot be said.

    Args:
        found: `learning_curve.json`.
        name: of the level.
    """
    level = found["levels"][name]
    title = metric_title(level["headline"])
    told = []
    for model, fit in level["fits"].items():
        if fit is None:
            told.append(f"{model}: no curve, as the {title} is not defined everywhere or no patient can be resampled.")
        else:
            told.append(f"{model}: {_need(fit['needed'], title, found)}")
    return told


def _need(needed: Found, title: str, found: Found) -> str:
    points = f"+{100 * needed['points']:.0f} point of {title} beyond {needed['beyond']:,} training images"
    value, low, high, why = needed["value"], needed["low"], needed["high"], needed["why"]
    if low is None:
        return f"how many images {points} would take cannot be said ({why})."
    if high is not None:
        return (
            f"about {about(value)} more images{_groups(value, found)} for {points} "
            f"(95 % interval {about(low)} to {about(high)})."
        )
    guess = "" if value is None else f" The fitted curve itself says about {about(value)}{_groups(value, found)}."
    return f"at least {about(low)} more images for {points}; how many cannot be said ({why}).{guess}"


def _groups(images: float, found: Found) -> str:
    """How many patients bring so many images, at the rate of the largest subset."""
    largest = found["training"][-1]
    if found["group"] == "image" or not largest["groups"]:
        return ""
    rate = sum(largest["groups"]) / len(largest["groups"]) / largest["images"]
    number = about(max(images * rate, 1))
    return f" (about {number} {found['group'] if number == '1' else found['group'] + 's'})"


def about(number: float) -> str:
    """A number that is not known to more than two digits.

    >>> about(1234.0), about(56.4), about(0.3)
    ('1,200', '56', '1')
    """
    whole = max(round(number), 1)
    digits = len(str(whole))
    return f"{round(whole, 2 - digits) if digits > 2 else whole:,}"


def limit_sentences(found: Found) -> list[str]:
    """What these curves cannot say."""
    told = []
    if found["simulated"]:
        told.append("The images are simulated: nothing here says how many images of patients it takes.")
    if found["test"]["groups"] < ENOUGH_PATIENTS:
        units = counted(found["test"]["groups"], found["group"])
        told.append(f"Only {units} were tested: interpret all intervals with care.")
    repeats = found["repeats"]
    if repeats == 1:
        told.append("One repeat: how far another choice of training images or other first weights go is not known.")
    elif repeats < FEWEST_TOLD_REPEATS:
        told.append(f"{repeats} repeats tell little of how far another choice of training images would go.")
    sizes = len(found["sizes"])
    if sizes < 4:
        told.append(
            f"{sizes} sizes: no end of the curve was fitted, and none is drawn beyond the data. Four sizes or more "
            "show whether a curve levels off."
        )
    told += [
        "A power law is a description, not a law: nobody has shown that this one goes on, and what a new hospital or "
        "device would add is not in it.",
        "All sizes have the same settings; a model that is tuned for few images may do better there.",
        "Larger subsets contain the smaller ones, so that neighbouring points share their luck.",
    ]
    return told


def method_sentences(found: Found) -> list[str]:
    """How points, bands and curves were made."""
    models = listed(list(found["models"])) if len(found["models"]) < 5 else f"all {len(found['models'])} models"
    repeats = counted(found["repeats"], "repeat")
    test = counted(found["test"]["images"], "test image")
    return [
        f"Validation and {test} are the same throughout. In each of {repeats} the training groups were put in an order "
        f"of their own, of which every size takes the beginning; {models} saw the same images.",
        "A value is the mean over repeats. Its interval is over the test patients, who are drawn in all repeats at "
        "once; SD is the standard deviation over repeats. More test patients narrow the one, more repeats tell the "
        "other better.",
        "error = a + b n^-c (Cortes et al., NIPS 6, 1993; Hestness et al., arXiv:1712.00409, 2017) was fitted to "
        "1 – metric with weights (Figueroa et al., BMC Medical Informatics and Decision Making 12:8, 2012); its "
        "interval comes from resamples of test patients and of repeats.",
    ]
