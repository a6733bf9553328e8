"""A model is asked about images, and the answers are kept: in memory, or in a folder that a killed run goes on from."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from medvision.answering.asked import Asked
from medvision.answering.asking import Answer, ask_images
from medvision.answering.dicom_seg import check_dicom_seg, save_dicom_seg
from medvision.answering.drawings import evidence_picture, overlay_picture, save_picture
from medvision.answering.folder import AnswerFolder, Format, call_all
from medvision.answering.model import Model
from medvision.answering.records import MASKS, Answers, Record, make_answers
from medvision.errors import ConfigError
from medvision.reports.palette import palette_png

SHOWN_FROM = 64


@dataclass(frozen=True)
class Extras:
    """What is written beside the tables.

    Args:
        overlay: pictures of the masks over the images.
        gradcam: pictures of the evidence for the class of each image.
        dicom_seg: masks of DICOM images as DICOM segmentations, too.
    """

    overlay: bool = False
    gradcam: bool = False
    dicom_seg: bool = False

    def check(self, model: Model) -> None:
        """Refuse what a model does not give.

        Raises:
            ConfigError: a line each.
            ModelError: a network without feature maps.
        """
        problems = []
        if self.overlay and not model.mask_classes:
            problems.append("--overlay: this run draws no masks; --gradcam shows where it saw evidence for a class")
        if self.gradcam and not model.classes:
            problems.append("--gradcam: this run says no classes; --overlay shows its masks")
        elif self.gradcam and any(member.explainer is None for member in model.members):
            problems.append("--gradcam: a baseline or an ONNX file has no feature maps to look at; leave it out")
        if self.dicom_seg and not model.mask_classes:
            problems.append("--dicom-seg: this run draws no masks; leave it out")
        if self.dicom_seg:
            problems += check_dicom_seg()
        if problems:
            raise ConfigError(*problems)
        if self.gradcam:
            _try_evidence(model)


def _try_evidence(model: Model) -> None:
    """Ask for the evidence in a black image, so that a network without maps is told of before anything is written."""
    size = model.preparation.size
    black = np.zeros((1, model.preparation.channels, size, size), np.uint8)
    for member in model.members:
        if member.explainer is not None:
            member.explainer.evidence(black, np.zeros(1, np.int64))


@dataclass(frozen=True, eq=False)
class _Writer:
    """What is done with each answer."""

    model: Model
    folder: Path | None
    names: dict[str, str]
    extras: Extras
    keep_masks: bool

    def __call__(self, answer: Answer) -> Record:
        record = answer.record
        if self.folder is None:
            return record if self.keep_masks else replace(record, pixels=None)
        called = self.names[record.image]
        picture = str(Path(called).with_suffix(".jpg"))
        if record.pixels is not None:
            palette_png(record.pixels, self.folder / MASKS / called)
            if self.extras.overlay:
                overlay = overlay_picture(self.model, answer.original.pixels, record.pixels)
                save_picture(overlay, self.folder / "overlays" / picture)
            if self.extras.dicom_seg and answer.original.dicom:
                save_dicom_seg(self.model, answer, self.folder / "dicom_seg" / Path(called).with_suffix(".dcm"))
        if answer.evidence is not None:
            save_picture(evidence_picture(self.model, answer), self.folder / "gradcam" / picture)
        return replace(record, pixels=None, called=called)


def answer(
    model: Model,
    asked: Sequence[Asked],
    *,
    output: Path | None = None,
    words: Sequence[str] = (),
    extras: Extras | None = None,
    kind: Format = "csv",
    keep_masks: bool = True,
) -> Answers:
    """Ask a model about images.

    Args:
        model: to be asked.
        asked: the images.
        output: the folder where tables, masks and pictures are written, and from which a killed run goes on; None
            keeps everything in memory.
        words: how the images were named; a folder of answers is for one way of naming them.
        extras: what else is written.
        kind: of the tables.
        keep_masks: keep the masks in memory where there is no folder.

    Raises:
        ConfigError: an option that the model or the folder does not go with.
    """
    extras = Extras() if extras is None else extras
    extras.check(model)
    if output is None:
        if extras != Extras():
            raise ConfigError("pictures and DICOM files need a folder; name one with --output DIR")
        records, skipped = _collect(model, asked, _Writer(model, None, {}, extras, keep_masks), None, {})
        return make_answers(model, records, skipped)
    folder = AnswerFolder(output)
    folder.begin(_question(model, words, extras))
    with folder.lock():
        done = folder.done(asked)
        writer = _Writer(model, output, call_all(asked, done), extras, keep_masks=False)
        try:
            records, skipped = _collect(model, asked, writer, folder, done)
            answers = make_answers(model, records, skipped)
            folder.finish(answers, kind)
        except OSError as error:
            raise ConfigError(
                f"--output: {output} cannot be written: {error.strerror or error}; the same command goes on later"
            ) from error
    return answers


def _collect(
    model: Model, asked: Sequence[Asked], writer: _Writer, folder: AnswerFolder | None, done: dict[str, Record]
) -> tuple[list[Record], dict[str, str]]:
    """The records of all images in their order, and why others cannot be read."""
    missing = [one for one in asked if one.name not in done]
    found, skipped = dict(done), dict[str, str]()
    with tqdm(
        total=len(asked),
        initial=len(done),
        desc="images",
        unit="image",
        disable=len(asked) < SHOWN_FROM,
        file=sys.stderr,
    ) as bar:
        for batch in ask_images(model, missing, writer, evidence=writer.extras.gradcam):
            records = [part for part in batch if isinstance(part, Record)]
            skipped |= dict(part for part in batch if not isinstance(part, Record))
            found |= {record.image: record for record in records}
            if folder is not None:
                folder.add(records)
            bar.update(len(batch))
    return [found[one.name] for one in asked if one.name in found], skipped


def _question(model: Model, words: Sequence[str], extras: Extras) -> dict[str, Any]:
    """What a folder of answers belongs to; the thresholds are for its reader."""
    # Of two exclusive classes the second alone has a threshold, of more none has.
    asked = model.classes if model.multilabel else model.classes[1:] if len(model.classes) == 2 else ()
    levels = dict.fromkeys((model.level, "study", "patient")) if asked else ()
    thresholds = {level: {name: model.decision(level).threshold(level, name) for name in asked} for level in levels}
    return {
        "run": model.name,
        "model": model.identity,
        "images": list(words),
        "pictures": [name for name in ("overlay", "gradcam", "dicom_seg") if getattr(extras, name)],
        "thresholds": thresholds,
    }
