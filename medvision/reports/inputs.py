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

    @property
    def answering(self) -> str:
        """The split whose metrics answer the question: test, else validation, else training."""
        return next(name for name in SPLITS if name in self.metrics)

    @property
    def best_epoch(self) -> int | None:
        """The epoch whose weights were evaluated, counted from 0; None where the history does not tell."""
        stopping = self.experiment.get("early_stopping") or {}
        monitor = (self.experiment.get("checkpoint") or {}).get("monitor") or stopping.get("monitor") or "val/loss"
        if self.history is None or monitor not in self.history or not self.history[monitor].notna().any():
            return None
        known = self.history.dropna(subset=[monitor])
        values = known[monitor].to_numpy()
        best = values.argmin() if mode_of(monitor) == "min" else values.argmax()
        return int(known["epoch"].iloc[best])
