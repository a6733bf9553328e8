"""What a run knows of its data, in sentences: source, counts, parts, what is missing. None where it does not know."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from medvision.data.splits import UNUSED
from medvision.reports.page_tables import count_folds, count_splits, split_facts

if TYPE_CHECKING:
    from medvision.reports.inputs import ReportInputs

PARTS = {"train": "training", "val": "validation", "test": "test", UNUSED: "unused"}
OWN_DATA = "your own"
MOST_CLASSES = 8
MOST_FOLDS = 11
"""Folds that a sentence names, with all of them together."""


def counted(number: int, unit: str) -> str:
    """`1 image`, `2 images`, `1 study`, `2 studies`."""
    plural = f"{unit[:-1]}ies" if unit.endswith("y") else f"{unit}s"
    return f"{number:,} {unit if number == 1 else plural}"


def listed(names: Sequence[str]) -> str:
    """`a, b and c`."""
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def source_sentence(inputs: "ReportInputs") -> str | None:
    """Where the data come from."""
    drawn = "SIMULATED: the images were drawn by a program. " if inputs.simulated else ""
    if not inputs.citation or inputs.citation.startswith(OWN_DATA):
        return drawn.strip() or None
    licence = f" Licence: {inputs.licence}." if inputs.licence else ""
    url = f" {inputs.url}" if inputs.url else ""
    model = "Modelled on: " if inputs.simulated else ""
    return f"{drawn}{model}{inputs.citation.rstrip('.')}.{licence}{url}"


def availability_sentence(inputs: "ReportInputs") -> str | None:
    """Where the data can be had."""
    if inputs.simulated:
        return "The images are simulated: a program drew them, and draws them again from the same seed."
    if not inputs.url:
        return None
    return f"The data are at {inputs.url}" + (f" (licence: {inputs.licence})." if inputs.licence else ".")


def count_sentence(inputs: "ReportInputs") -> str:
    """Images, patients and labels of every part, or of every fold."""
    told = []
    for row in _parts(inputs):
        patients = "" if row["patients"] is None else f" of {counted(row['patients'], 'patient')}"
        labels = ", ".join(f"{name} {count:,}" for name, count in row["counts"].items())
        shown = f" ({labels})" if labels and len(row["counts"]) <= MOST_CLASSES else ""
        told.append(f"{PARTS.get(row['name'], row['name'])}: {counted(row['images'], 'image')}{patients}{shown}")
    text = "; ".join(told)
    return f"{text[:1].upper()}{text[1:]}."


def _parts(inputs: "ReportInputs") -> list[dict[str, Any]]:
    """The counts of the splits; of a cross-validation those of the folds, of many only of all together."""
    if inputs.folds is None:
        return count_splits(inputs.split, inputs.classes)
    rows = count_folds(inputs.split, inputs.classes)
    return rows if len(rows) <= MOST_FOLDS else rows[-1:]


def share_sentence(inputs: "ReportInputs") -> str | None:
    """How frequent each class is in each part."""
    if not inputs.classes or len(inputs.classes) > MOST_CLASSES:
        return None
    told = []
    for row in _parts(inputs):
        shares = ", ".join(f"{name} {count / row['images']:.0%}" for name, count in row["counts"].items())
        told.append(f"{PARTS.get(row['name'], row['name'])}: {shares}")
    return f"Share of the images, {'; '.join(told)}."


def assignment_sentence(inputs: "ReportInputs") -> str:
    """How images got into the parts."""
    settings, seed = inputs.experiment["split"], inputs.experiment.get("seed")
    seed = settings["seed"] if settings.get("seed") is not None else seed
    seeded = "" if seed is None else f" (seed {seed})"
    if inputs.folds is not None:
        return (
            f"Cross-validation: {inputs.folds.count} by {_fold_kind(settings)}{seeded}. Each fold is tested by a "
            "network trained on the others, with validation images drawn from these."
        )
    if settings.get("fold") is not None:
        fold = f"Fold {settings['fold']} (counted from 0) of the folds by {_fold_kind(settings)}"
        if settings.get("inner_fold") is not None:
            inner = f"inner fold {settings['inner_fold']} of {settings.get('inner_folds', 3)} of the rest is the test"
            return f"{fold} was put aside; {inner}; validation was drawn from what is left{seeded}."
        return f"{fold} is the test; validation was drawn from the rest{seeded}."
    if has_official_split(inputs):
        return f"The split that the data set brings; a part that it lacks was drawn from its training part{seeded}."
    by = settings.get("stratify")
    kept = f", keeping the proportions of the {by}" if by and (by != "label" or inputs.classes) else ""
    fractions = f"{settings['val']:.0%} for validation and {settings['test']:.0%} for the test"
    return f"Drawn at random by {settings['group']}{kept}, about {fractions}{seeded}."


def _fold_kind(settings: Mapping[str, Any]) -> str:
    """Of what the folds are made."""
    if settings.get("fold_by") is not None:
        return f"the column {settings['fold_by']}, {settings['group']} by {settings['group']}"
    if settings.get("folds") == "leave_one_out":
        return f"{settings['group']}, one in each (leave one out)"
    return str(settings["group"])


def has_official_split(inputs: "ReportInputs") -> bool:
    """Whether the data set said itself which image is in which part: then no image has a fold."""
    settings, split = inputs.experiment["split"], inputs.split
    if not settings.get("official", True) or settings.get("fold") is not None or "fold" not in split:
        return False
    # Too few groups for the folds leave none either.
    folds = settings.get("folds", 5)
    enough = not isinstance(folds, int) or split["group"].nunique() >= folds
    return inputs.folds is None and bool((split["fold"] == -1).all()) and enough


def disjoint_sentence(inputs: "ReportInputs") -> str:
    """What the parts, or the folds, do not share, counted in the table of the split."""
    part = "part" if inputs.folds is None else "fold"
    facts = split_facts(inputs.split, "split" if inputs.folds is None else "fold")
    group = inputs.experiment["split"]["group"]
    if facts["shared_patients"] is None:
        told = f"Patients are not known, so images of one patient may be in two {part}s."
        if group != "image":
            told = f"{_shared(facts['shared_groups'] or 0, facts['groups'] or 0, group, part)} {told}"
    else:
        told = _shared(facts["shared_patients"], known_patients(inputs), "patient", part)
    unknown = unknown_patients(inputs)
    if facts["shared_patients"] is not None and unknown:
        told += f" Of {counted(unknown, 'image')} the patient is not known."
    if facts["shared_files"] is not None:
        told += f" Image files with an identical copy in another {part}: {facts['shared_files'] or 'none'}."
    return told


def _shared(shared: int, of: int, unit: str, part: str) -> str:
    if shared:
        return f"NOT disjoint: {shared:,} of {counted(of, unit)} are in more than one {part}."
    return f"Disjoint by {unit}: of {counted(of, unit)} none is in more than one {part}."


def known_patients(inputs: "ReportInputs") -> int:
    """How many patients are named in the parts."""
    used = inputs.split[inputs.split["split"] != UNUSED]
    return int(used["patient"].dropna().astype(str).replace("", None).nunique()) if "patient" in used else 0


def unknown_patients(inputs: "ReportInputs") -> int:
    """Of how many images of the parts the patient is not known."""
    used = inputs.split[inputs.split["split"] != UNUSED]
    return int((used["patient"].fillna("").astype(str) == "").sum()) if "patient" in used else len(used)


def missing_sentence(inputs: "ReportInputs") -> str:
    """What was missing, and what was done about it."""
    skipped = inputs.skipped
    told = ["No image was left out."]
    if skipped:
        told = [f"Left out because unusable: {counted(skipped, 'image')}; skipped.csv says why."]
    if inputs.classes and not inputs.multilabel and "label" in inputs.split:
        empty = int((inputs.split["label"].fillna("").astype(str) == "").sum())
        told.append(f"Without a label: {counted(empty, 'image')}." if empty else "Every image has a label.")
    unknown = unknown_patients(inputs)
    told.append(f"The patient is unknown for {counted(unknown, 'image')}." if unknown else "Every image has a patient.")
    return " ".join(told)


def unused_sentence(inputs: "ReportInputs") -> str:
    """Whether all images, and all of each image, were used."""
    unused = int((inputs.split["split"] == UNUSED).sum())
    if unused:
        why = "to train on a smaller subset" if inputs.folds is None else "and are in no fold"
        return f"Of {counted(len(inputs.split), 'image')} {unused:,} were put aside, {why}."
    where = "part" if inputs.folds is None else "fold"
    seen = "" if inputs.experiment["data"].get("resize") in (None, "crop", "none") else ", each of them whole"
    return f"All {counted(len(inputs.split), 'usable image')} of the data set are in a {where}{seen}."
