"""What a report is made of: plain tables and values, all of them from the files of a run folder."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from medvision.config.settings import mode_of

# The split that answers the question comes first.
SPLITS = {"test": "Test", "val": "Validation", "train": "Training"}


@dataclass(frozen=True, kw_only=True)
class FoldPart:
    """One run of a cross-validation.

    Args:
        name: of its folder, `fold-3` or `repeat-1-fold-3`.
        link: its own report, relative to the page; None where it is not there.
        environment: what is known of its model, time and memory.
        split: its `split.csv`; None where it is not there.
        history: a row an epoch; None where it is not there.
        best_epoch: whose weights were evaluated, counted from 0; None where the history does not tell.
    """

    name: str
    link: str | None = None
    environment: Mapping[str, Any] = field(default_factory=dict)
    split: pd.DataFrame | None = None
    history: pd.DataFrame | None = None
    best_epoch: int | None = None

    @property
    def title(self) -> str:
        """The name in words.

        >>> FoldPart(name="repeat-1-fold-3").title
        'repeat 1, fold 3'
        """
        return self.name.replace("-fold-", ", fold-").replace("-", " ")


@dataclass(frozen=True, kw_only=True)
class FoldInputs:
    """What the report of a cross-validation is made of, beside the pooled tables.

    Args:
        parts: the runs, in order.
        summary: {level: {metric: {mean, sd, n, values}}} of `folds.json`.
        choices: what was chosen for each fold on its inner folds, {part: {settings: {setting: value}, metric, level,
            tried: [{setting: value, metric: value}]}}; empty where nothing was.
        missing: the runs that were planned and are not in the pooled tables.
        repeats: how often every image was tested.
        alone: each fold is a single group, such as a patient, of whose metrics no mean is meaningful: the summary is
            empty then.
    """

    parts: Sequence[FoldPart]
    summary: Mapping[str, Mapping[str, Mapping[str, Any]]]
    choices: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    missing: Sequence[str] = ()
    repeats: int = 1
    alone: bool = False

    @property
    def count(self) -> str:
        """How many there are, in words.

        >>> FoldInputs(parts=[FoldPart(name=f"fold-{k}") for k in range(5)], summary={}).count
        '5 folds'
        """
        each, left = divmod(len(self.parts), self.repeats)
        if self.repeats == 1 or left:
            return f"{len(self.parts)} fold{'s' * (len(self.parts) != 1)}"
        return f"{self.repeats} × {each} folds"


@dataclass(frozen=True, kw_only=True)
class ReportInputs:
    """What a report is made of; all of it stands in a run folder.

    Args:
        folder: the name of the run folder.
        experiment: the resolved experiment.
        experiment_text: the same as its file has it.
        environment: versions, device, commit, time, and what is known of data and model.
        split: `split.csv`.
        predictions: the prediction table.
        metrics: {split: {level: {metric: entry}}}.
        classes: names of the labels in order; empty where there are none.
        mask_classes: names of the masks' classes, the background first; empty where there are no masks.
        multilabel: several classes an image, or none.
        history: a row an epoch; None where nothing was trained.
        simulated: the images were drawn by a program.
        citation: of the data.
        licence: of the data.
        url: of the data.
        skipped: how many images were left out.
        decision: temperature and thresholds, `decision.json`; None where there are none.
        curves: {split: {level: {curve: points}}}, `curves.json`.
        subgroups: {split: {level: [column]}}, `subgroups.json`.
        cases: mistakes and uncertain images, `cases.json`, whose pictures are absolute paths here; None for a picture
            that is not there.
        sheet: a contact sheet of training images; None where there is none.
        panels: best, median and worst masks; None where there are none.
        animations: how the masks formed during training, GIF or WebP, the better one first.
        folds: of a cross-validation, whose tables are those of the tests of all folds; None of a single run.
        selection: how the run was chosen among those of a sweep, `selection.json`; None where it was not.
    """

    folder: str
    experiment: Mapping[str, Any]
    experiment_text: str
    environment: Mapping[str, Any]
    split: pd.DataFrame
    predictions: pd.DataFrame
    metrics: Mapping[str, Any]
    classes: list[str]
    mask_classes: list[str] = field(default_factory=list)
    multilabel: bool = False
    history: pd.DataFrame | None = None
    simulated: bool = False
    citation: str = ""
    licence: str = ""
    url: str = ""
    skipped: int = 0
    decision: Mapping[str, Any] | None = None
    curves: Mapping[str, Any] = field(default_factory=dict)
    subgroups: Mapping[str, Any] = field(default_factory=dict)
    cases: Sequence[Mapping[str, Any]] = ()
    sheet: Path | None = None
    panels: Path | None = None
    animations: Sequence[Path] = ()
    folds: FoldInputs | None = None
    selection: Mapping[str, Any] | None = None

    @property
    def answering(self) -> str:
        """The split whose metrics answer the question: test, else validation, else training."""
        return next(name for name in SPLITS if name in self.metrics)

    @property
    def best_epoch(self) -> int | None:
        """The epoch whose weights were evaluated, counted from 0; None where the history does not tell."""
        return best_epoch(self.experiment, self.history)

    @property
    def scored(self) -> str:
        """What the answering rows are of: `test split`, of a cross-validation `test folds`."""
        return "test folds" if self.folds is not None else f"{SPLITS[self.answering].lower()} split"


def best_epoch(experiment: Mapping[str, Any], history: pd.DataFrame | None) -> int | None:
    """The epoch with the best value of what a run monitors.

    Args:
        experiment: the resolved experiment.
        history: a row an epoch.

    Returns:
        Counted from 0; None where the history does not tell.
    """
    stopping = experiment.get("early_stopping") or {}
    monitor = (experiment.get("checkpoint") or {}).get("monitor") or stopping.get("monitor") or "val/loss"
    if history is None or monitor not in history or not history[monitor].notna().any():
        return None
    known = history.dropna(subset=[monitor])
    values = known[monitor].to_numpy()
    best = values.argmin() if mode_of(monitor) == "min" else values.argmax()
    return int(known["epoch"].iloc[best])
