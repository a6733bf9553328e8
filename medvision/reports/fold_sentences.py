"""What the report of a cross-validation must say: what pooled values and means over folds are, what is not there."""

from typing import TYPE_CHECKING

from medvision.reports.data_sentences import listed
from medvision.reports.page_tables import label_half, split_facts

if TYPE_CHECKING:
    from medvision.reports.inputs import ReportInputs

MOST_NAMED = 10


def pooling_sentences(inputs: "ReportInputs") -> list[str]:
    """What a pooled value, its interval, and the mean over folds are; empty of a single run."""
    folds = inputs.folds
    if folds is None:
        return []
    pooled = (
        f"Pooled values are those of the test predictions of all {folds.count} together: each image is predicted by "
        "the network of the one fold that has not trained on it."
    )
    if folds.alone:
        told = [f"{pooled} Below a value stands its interval.", alone_sentence(inputs)]
    else:
        told = [
            f"{pooled} Below a value stands its interval, and below that the mean ± standard deviation of the values "
            "of the single folds.",
            "The standard deviation shows how much test and training images matter. It is not the uncertainty of the "
            "pooled value: the training images of two folds are largely the same (Bengio and Grandvalet 2004).",
        ]
    if folds.repeats > 1:
        told.append(
            f"The folds were drawn {folds.repeats} times. A value is the mean over these repeats, and its interval "
            "draws each patient in all repeats at once: repeats make no new patients."
        )
    if label_half(inputs.metrics[inputs.answering]):
        told.append(
            "AUROC, average precision and calibration of pooled predictions compare probabilities of different "
            "networks; where these are not on one scale, the pooled values are too low."
        )
    return told


def alone_sentence(inputs: "ReportInputs") -> str:
    """Why a cross-validation of single groups has no mean over folds."""
    group = inputs.experiment["split"]["group"]
    return (
        f"Each fold is a single {group}, of which most metrics are undefined or say nothing, so that no mean and no "
        "standard deviation over folds is given."
    )


def first_repeat_note(inputs: "ReportInputs") -> str:
    """That a part of the page shows the first repeat only; empty where there is no other."""
    repeats = 1 if inputs.folds is None else inputs.folds.repeats
    return f"Of the first of {repeats} repeats." if repeats > 1 else ""


def missing_folds_sentence(inputs: "ReportInputs") -> str | None:
    """Which folds are not in the tables."""
    if inputs.folds is None or not inputs.folds.missing:
        return None
    missing = inputs.folds.missing
    names = listed([name.replace("-", " ") for name in missing[:MOST_NAMED]])
    more = f" and {len(missing) - MOST_NAMED} more" if len(missing) > MOST_NAMED else ""
    return (
        f"Not in this report: {names}{more}; `cross_validate --resume` runs them. The results are of the other folds."
    )


def fold_facts(inputs: "ReportInputs") -> dict[str, int | None]:
    """What stands in more than one fold, and what the folds' own splits share, counted anew from their tables.

    Returns:
        As `split_facts`, with `torn_folds`, how many folds have a group or patient in two of their splits, of
        `counted_folds` that have kept their split.
    """
    assert inputs.folds is not None, "a single run has no folds"
    splits = [part.split for part in inputs.folds.parts if part.split is not None]
    torn = [split for split in splits if split_facts(split)["shared_groups"]]
    return {**split_facts(inputs.split, "fold"), "torn_folds": len(torn), "counted_folds": len(splits)}
