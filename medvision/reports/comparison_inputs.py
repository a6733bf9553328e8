"""What the report of a comparison is made of: plain values, all of them from the files of its folder."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from medvision.evaluation.mask_text import MASK_SUMMARY
from medvision.evaluation.text import SUMMARY
from medvision.reports.page_tables import LABELS

Entry = Mapping[str, Any]
TITLES = {**SUMMARY, **MASK_SUMMARY}
"""Names of all metrics of a whole level, in the order of a page."""
# What decides first, of labels and of masks.
_HEADLINES = {"labels": ("auroc", "balanced_accuracy", "accuracy", "kappa"), "masks": ("dice", "hd95", "iou")}
_DRAWN = ("auroc", "balanced_accuracy", "dice", "hd95")
UNDEFINED: Entry = {"value": None, "low": None, "high": None}


@dataclass(frozen=True, kw_only=True)
class ModelFacts:
    """What is known of one model beside its predictions.

    Args:
        name: as it stands in `comparison.json`.
        experiment: the resolved experiment.
        runs: `environment.json` of each run that was trained for it, such as those of its folds.
        report: address of its own report from the folder of the page; None where there is none.
    """

    name: str
    experiment: Mapping[str, Any]
    runs: Sequence[Mapping[str, Any]]
    report: str | None = None


@dataclass(frozen=True, kw_only=True)
class ComparisonInputs:
    """What the page of a comparison tells.

    Args:
        folder: the name of the folder.
        comparison: `comparison.json`.
        models: in the order of the comparison.
        classes: names of the labels in order; empty where there are none.
        mask_classes: names of the masks' classes, the background first; empty where there are none.
        multilabel: several labels an image.
        counts: test images by class, {class: (images, patients)}; patients None where they are not known.
        folds: into how many test sets the images were divided; 1 for a single one.
        repeats: how often that was done.
        simulated: the images were drawn by a program.
        citation: of the data.
        licence: of the data.
        url: of the data.
    """

    folder: str
    comparison: Mapping[str, Any]
    models: Sequence[ModelFacts]
    classes: Sequence[str]
    mask_classes: Sequence[str] = ()
    multilabel: bool = False
    counts: Mapping[str, tuple[int, int | None]]
    folds: int = 1
    repeats: int = 1
    simulated: bool = False
    citation: str = ""
    licence: str = ""
    url: str = ""

    @property
    def names(self) -> list[str]:
        """Of the models."""
        return [model.name for model in self.models]

    @property
    def level(self) -> str:
        """The level that answers: studies where there are any, else images."""
        return "study" if "study" in self.comparison["levels"] else next(iter(self.comparison["levels"]))

    @property
    def primary(self) -> str:
        """The metric that answers: AUROC of two classes or several labels, balanced accuracy of more, Dice of masks."""
        return headlines(self, self.level)[0]


def headlines(inputs: ComparisonInputs, level: str) -> list[str]:
    """The few metrics that come first, that which answers before all others; only those that some model has.

    Args:
        inputs: what is compared.
        level: image, study or patient.
    """
    metrics = inputs.comparison["levels"][level]["metrics"]
    found = {name for entries in metrics.values() for name, entry in entries.items() if "low" in entry}
    kinds = [*(["labels"] if LABELS in found else []), *(["masks"] if "dice" in found else [])]
    wanted = [name for kind in kinds for name in _HEADLINES[kind]]
    if len(inputs.classes) > 2 and not inputs.multilabel and "labels" in kinds:
        wanted = ["balanced_accuracy", "auroc", *wanted]
    return [name for name in dict.fromkeys(wanted) if name in found]


def drawn_metrics(inputs: ComparisonInputs) -> list[str]:
    """The metrics that have figures: two of labels, two of masks, at the level that answers."""
    return [name for name in headlines(inputs, inputs.level) if name in _DRAWN]


def entry_of(inputs: ComparisonInputs, level: str, model: str, metric: str) -> Entry:
    """A metric of a model; without a value where it has none."""
    found: Entry = inputs.comparison["levels"][level]["metrics"][model].get(metric, UNDEFINED)
    return found


def pair_name(pair: Mapping[str, Any]) -> str:
    """`b − a`, in the order in which a difference is taken.

    >>> pair_name({"a": "scratch", "b": "transfer"})
    'transfer − scratch'
    """
    return f"{pair['b']} − {pair['a']}"
