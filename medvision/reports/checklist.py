"""The checklists CLAIM 2024 and TRIPOD+AI, answered where the run knows the answer and open where it does not."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from medvision.reports.checklist_items import CLAIM, ITEMS, TRIPOD
from medvision.reports.data_sentences import (
    assignment_sentence,
    availability_sentence,
    count_sentence,
    disjoint_sentence,
    has_official_split,
    listed,
    missing_sentence,
    share_sentence,
    source_sentence,
    unused_sentence,
)
from medvision.reports.model_sentences import (
    code_sentence,
    combination_sentence,
    imbalance_sentence,
    input_sentence,
    network_sentence,
    output_sentence,
    selection_sentence,
    software_sentence,
    start_sentence,
    sweep_sentence,
    training_sentence,
)
from medvision.reports.result_sentences import (
    calibration_sentence,
    explanation_sentence,
    failure_sentence,
    interval_sentence,
    metrics_sentence,
    operating_sentence,
    performance_sentence,
    subgroup_sentences,
    temperature_sentence,
    threshold_sentence,
)

if TYPE_CHECKING:
    from medvision.reports.inputs import ReportInputs

Answer = Callable[["ReportInputs"], str | None]

AUTHOR = "For the author:"
"""Begins what is left to say in an item that the run can answer in part."""


def checklist(inputs: "ReportInputs") -> list[dict[str, str | None]]:
    """Every item of both guidelines in their order.

    Args:
        inputs: what the run knows.

    Returns:
        {guideline, item, section, asked, answer} each; answer is None where only the author knows it, and names what
        is left behind `AUTHOR` where the run knows a part.
    """
    return [
        {
            "guideline": item.guideline,
            "item": item.number,
            "section": item.section,
            "asked": item.asked,
            "answer": answer(inputs) if (answer := ANSWERS.get((item.guideline, item.number))) else None,
        }
        for item in ITEMS
    ]


def _all(*sentences: Answer, left: str = "") -> Answer:
    """What is known of several things; nothing unless the first is. `left` is what the author must add."""

    def answer(inputs: "ReportInputs") -> str | None:
        found = [sentence(inputs) for sentence in sentences]
        if found[0] is None:
            return None
        return " ".join(filter(None, [*found, f"{AUTHOR} {left}." if left else ""]))

    return answer


def _question(inputs: "ReportInputs") -> str | None:
    return str(inputs.experiment.get("question") or "").strip() or None


def _goal(inputs: "ReportInputs") -> str:
    told = {
        "test": "evaluated on held-out images of the same data set",
        "val": "evaluated on the validation split, which also chose its weights",
        "train": "evaluated on the images it was trained on",
    }
    if inputs.folds is not None:
        return "A model is developed, and evaluated by cross-validation on images of the same data set."
    return f"A model is developed, and {told[inputs.answering]}."


def _internal(inputs: "ReportInputs") -> str | None:
    if inputs.answering != "test":
        return None
    held_out = "The test split is" if inputs.folds is None else "The test images of each fold are"
    return f"{held_out} held-out data of the same data set. {disjoint_sentence(inputs)}"


def _external(inputs: "ReportInputs") -> str:
    return f"None in this run: all its images are of the data set {inputs.experiment['data']['name']}."


def _settings(inputs: "ReportInputs") -> str:
    seed = inputs.experiment.get("seed")
    return "All settings of the run are in this report." + ("" if seed is None else f" Seed {seed}.")


def _only_image(inputs: "ReportInputs") -> str:
    return "The pixels of the image alone; age, sex or other data are not given to the network."


def _augmentation(inputs: "ReportInputs") -> str | None:
    name = inputs.experiment["data"].get("augmentation")
    if name is None:
        return None
    return "Training images were not augmented." if name == "none" else f"Training images were augmented ({name})."


def _quality(inputs: "ReportInputs") -> str | None:
    hashed = "sha256" in inputs.split and inputs.split["sha256"].notna().all()
    return "Every image file was read and hashed (SHA-256) before training." if hashed else None


def _unchanged(inputs: "ReportInputs") -> str | None:
    if inputs.answering != "test":
        return None
    if inputs.folds is not None:
        return "Nothing was updated: the test images of a fold are predicted by its model as it was trained."
    source = (inputs.decision or {}).get("chosen_on") or {}
    chosen = f"; what is chosen from data comes from the {source['split']} split" if source else ""
    return f"Nothing was updated: the test split is predicted by the model as it was trained{chosen}."


def _computed(inputs: "ReportInputs") -> str:
    network = "the saved network" if inputs.folds is None else "the saved networks of the folds"
    return f"By {network}, image by image, in medvision; predictions.csv holds them all."


def _fairness(inputs: "ReportInputs") -> str:
    by_group = subgroup_sentences(inputs)
    measured = f" Performance was measured by group. {by_group}" if by_group else ""
    return f"Nothing was done for fairness in training.{measured}"


def _same_source(inputs: "ReportInputs") -> str | None:
    if has_official_split(inputs):
        return None
    return "Both were drawn at random from the same data set: no difference but that of chance is meant."


def _files(inputs: "ReportInputs") -> str:
    if inputs.folds is not None:
        folders = listed([f"parts/{part.name}" for part in (inputs.folds.parts[0], inputs.folds.parts[-1])])
        return f"The folders of the folds, such as {folders}, hold network, decisions and all settings of each model."
    parts = ["the network (checkpoints/best.ckpt)", "what is done to images (preprocessing.json)"]
    parts += ["temperature and thresholds (decision.json)"] if inputs.decision is not None else []
    return f"The run folder holds {', '.join(parts)} and all settings (experiment.yaml)."


def _tuned(inputs: "ReportInputs") -> str:
    return sweep_sentence(inputs) or f"{AUTHOR} whether settings were tuned in other runs."


def _no_person(inputs: "ReportInputs") -> str | None:
    return "Not applicable: the images are simulated, no person took part." if inputs.simulated else None


_MODEL = _all(network_sentence, input_sentence, output_sentence)
_DATA_PREPARATION = _all(input_sentence, _augmentation)
_PARTS = _all(assignment_sentence, count_sentence)

_CLAIM: Mapping[str, Answer] = {
    "1": network_sentence,
    "4": _all(_question, left="hypotheses"),
    "6": _goal,
    "7": _all(source_sentence, left="how and for whom they were collected"),
    "9": _DATA_PREPARATION,
    "10": unused_sentence,
    "11": _no_person,
    "12": missing_sentence,
    "19": _PARTS,
    "20": disjoint_sentence,
    "22": _all(_MODEL, left="a reference for the network"),
    "23": software_sentence,
    "24": start_sentence,
    "25": training_sentence,
    "26": _all(selection_sentence, sweep_sentence),
    "27": combination_sentence,
    "28": _all(metrics_sentence, left="why these"),
    "29": interval_sentence,
    "31": explanation_sentence,
    "32": _internal,
    "33": _external,
    "35": _all(count_sentence, missing_sentence, left="who was excluded before the images came here"),
    "37": _all(performance_sentence, calibration_sentence),
    "38": _all(operating_sentence, threshold_sentence),
    "39": _all(failure_sentence, left="what the mistakes have in common"),
    "42": _settings,
    "43": _all(availability_sentence, code_sentence, left="where the trained model can be had"),
}

_TRIPOD: Mapping[str, Answer] = {
    "4": _all(_question, _goal),
    "5a": _all(source_sentence, left="why these data, and whom they represent"),
    "7": _all(input_sentence, _quality, missing_sentence),
    "9a": _only_image,
    "9b": _all(_only_image, input_sentence, left="how the images were acquired"),
    "11": missing_sentence,
    "12a": _all(_PARTS, disjoint_sentence),
    "12b": _DATA_PREPARATION,
    "12c": _all(_MODEL, start_sentence, training_sentence, selection_sentence, _tuned),
    "12d": lambda inputs: subgroup_sentences(inputs, clusters_only=True),
    "12e": _all(metrics_sentence, interval_sentence, left="why these"),
    "12f": _unchanged,
    "12g": _all(_computed, temperature_sentence, combination_sentence),
    "13": _all(imbalance_sentence, temperature_sentence),
    "14": _fairness,
    "15": _all(output_sentence, threshold_sentence),
    "16": _same_source,
    "17": _no_person,
    "18e": availability_sentence,
    "18f": code_sentence,
    "20a": _all(count_sentence, missing_sentence, left="the way of the participants before the images came here"),
    "20c": _all(share_sentence, left="age, sex and other characteristics"),
    "21": count_sentence,
    "22": _all(_files, left="where the trained model can be had"),
    "23a": _all(performance_sentence, operating_sentence, calibration_sentence, subgroup_sentences),
    "23b": lambda inputs: subgroup_sentences(inputs, clusters_only=True),
    "24": _unchanged,
}

ANSWERS: Mapping[tuple[str, str], Answer] = {
    **{(CLAIM, number): answer for number, answer in _CLAIM.items()},
    **{(TRIPOD, number): answer for number, answer in _TRIPOD.items()},
}
