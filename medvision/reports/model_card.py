"""The model card of a run: what the model is for, what it was made from, how good it is, and what it must not do.

After M. Mitchell et al., Model Cards for Model Reporting, FAT* 2019.
"""

from typing import TYPE_CHECKING, Any

from medvision.data.splits import UNUSED
from medvision.data.table import LABEL_SEPARATOR
from medvision.evaluation.decision import read_decision
from medvision.evaluation.text import ENOUGH_PATIENTS, UNITS
from medvision.reports.data_sentences import (
    availability_sentence,
    count_sentence,
    counted,
    has_official_split,
    known_patients,
    listed,
    source_sentence,
    unknown_patients,
)
from medvision.reports.fold_sentences import missing_folds_sentence, pooling_sentences
from medvision.reports.model_sentences import (
    code_sentence,
    input_sentence,
    network_sentence,
    output_sentence,
    start_sentence,
    sweep_sentence,
)
from medvision.reports.result_sentences import (
    SPLIT_NAMES,
    calibration_sentence,
    interval_sentence,
    operating_sentence,
    performance_sentence,
    subgroup_columns,
    subgroup_sentences,
    temperature_sentence,
    threshold_sentence,
)
from medvision.reports.thresholds import decision_notes

if TYPE_CHECKING:
    from medvision.reports.inputs import ReportInputs

ENOUGH_EVENTS = 10
NOT_CLINICAL = "Not for clinical use: no diagnosis, treatment or decision about a person may rest on it."


def model_card(inputs: "ReportInputs") -> list[dict[str, Any]]:
    """The sections of the card in their order.

    Args:
        inputs: what the run knows.

    Returns:
        {title, text} each; text is a list of paragraphs.
    """
    question = str(inputs.experiment.get("question") or "").strip()
    sections: dict[str, list[str | None]] = {
        "Intended use": ["Research. " + (question or "The experiment names no question."), NOT_CLINICAL],
        "Model": [
            network_sentence(inputs),
            start_sentence(inputs),
            sweep_sentence(inputs),
            input_sentence(inputs),
            output_sentence(inputs),
        ],
        "Data": [
            source_sentence(inputs) or "The source of the images is not named.",
            f"Data set {inputs.experiment['data']['name']}. {count_sentence(inputs)}",
        ],
        "Performance": [performance_sentence(inputs), interval_sentence(inputs), *pooling_sentences(inputs)],
        "Operating point": [threshold_sentence(inputs), operating_sentence(inputs)],
        "Calibration": [calibration_sentence(inputs), temperature_sentence(inputs)],
        "Subgroups": [subgroup_sentences(inputs) or "No subgroup was scored: nothing is known of differences."],
        "Limits": [*limits(inputs)],
        "How to cite": [*_citations(inputs), code_sentence(inputs), availability_sentence(inputs)],
    }
    kept = {title: [text for text in texts if text] for title, texts in sections.items()}
    return [{"title": title, "text": texts} for title, texts in kept.items() if texts]


def limits(inputs: "ReportInputs") -> list[str]:
    """What the run can see that its result cannot carry, a sentence each."""
    told = []
    if inputs.simulated:
        told.append("The images are simulated: the results say nothing about patients.")
    if inputs.answering == "val":
        told.append("The validation split chose the weights, so its result is too good; no test split was evaluated.")
    if inputs.answering == "train":
        told.append("The result is of the images that were trained on: it says nothing about others.")
    told += [*_patient_limits(inputs), *_few_events(inputs), *_subgroup_limits(inputs)]
    split = "its own split" if has_official_split(inputs) else "a random split"
    if inputs.folds is not None:
        by = inputs.experiment["split"].get("fold_by")
        split = "a cross-validation" if by is None else f"a cross-validation by {by} within it"
        told += filter(None, [missing_folds_sentence(inputs)])
    told.append(
        f"All images are of one data set ({inputs.experiment['data']['name']}): {split} does not show how the model "
        "does with other devices, in other hospitals, on other people, or later."
    )
    if inputs.decision is not None:
        decision = read_decision(inputs.decision)
        told += [*decision_notes(decision, temperature=True), *decision_notes(decision, temperature=False)]
    return told


def _patient_limits(inputs: "ReportInputs") -> list[str]:
    unknown, known = unknown_patients(inputs), known_patients(inputs)
    if not known:
        return [
            "The patients are not known: images of one patient may be in two parts, and the intervals, which take "
            "every image for a patient of its own, are then too narrow."
        ]
    told = [f"The patient is not known for {counted(unknown, 'image')}."] if unknown else []
    split = inputs.split[inputs.split["split"] != UNUSED]
    part = split[split["split"] == inputs.answering]
    patients = part["patient"].dropna().astype(str).replace("", None).nunique()
    if patients < ENOUGH_PATIENTS:
        found = counted(patients, "patient")
        told.append(_few_patients(inputs, found))
    column = "split" if inputs.folds is None else "fold"
    torn = split[split["patient"].fillna("").astype(str) != ""].groupby("patient")[column].nunique()
    if (torn > 1).any():
        where = "part" if inputs.folds is None else "fold"
        told.append(f"{counted(int((torn > 1).sum()), 'patient')} in more than one {where}: the result is too good.")
    return told


def _few_patients(inputs: "ReportInputs", found: str) -> str:
    if inputs.folds is not None:
        return f"All folds together have {found} only: the intervals say little."
    return f"The {SPLIT_NAMES[inputs.answering]} split has {found} only: its intervals say little."


def _few_events(inputs: "ReportInputs") -> list[str]:
    """Classes that too few patients of the answering split show; images where patients are not known."""
    if not inputs.classes:
        return []
    part = inputs.split[inputs.split["split"] == inputs.answering]
    unit = "patient" if known_patients(inputs) else "image"
    labels = part["label"].fillna("").astype(str).str.split(LABEL_SEPARATOR)
    counts = {name: part[unit][[name in shown for shown in labels]].nunique() for name in inputs.classes}
    few = [f"{name} ({count})" for name, count in counts.items() if count < ENOUGH_EVENTS]
    where = f"{UNITS[unit]} of the {inputs.scored}"
    return [f"Fewer than {ENOUGH_EVENTS} {where} show {listed(few)}."] if few else []


def _subgroup_limits(inputs: "ReportInputs") -> list[str]:
    columns = subgroup_columns(inputs)
    if not columns:
        return ["Sex, age, device or site were not scored apart: differences between groups are not known."]
    told = []
    for column in columns:
        left = [f"{group['name']} (n = {group['n']})" for group in column.get("left_out") or []]
        if left:
            told.append(f"By {column['column']}, too few patients to score: {listed(left)}.")
        unknown = column.get("unknown")
        if unknown and unknown["n"]:
            told.append(f"The {column['column']} is not known for {unknown['n']:,} cases.")
    return told


def _citations(inputs: "ReportInputs") -> list[str]:
    run = f"This run: {inputs.experiment['name']}, {inputs.folder}."
    data = f"The data: {inputs.citation}" if inputs.citation and not inputs.simulated else None
    return [text for text in (data, run) if text]
