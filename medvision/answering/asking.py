"""The images go to the network in batches, while others are read and written."""

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from medvision.answering.asked import Asked
from medvision.answering.inputs import Pixels
from medvision.answering.model import Model, Said
from medvision.answering.originals import Original, read_original
from medvision.answering.records import Record
from medvision.data.digests import tile_digest
from medvision.errors import ImageError
from medvision.evaluation.cases import aggregate_probabilities
from medvision.evaluation.decision import apply_decision
from medvision.evaluation.operating_point import decide
from medvision.evaluation.predictions import probability_columns, shortest_decimals
from medvision.evaluation.training_range import unlike_words

# Batches that are read ahead, and answers that wait to be written: enough to keep a GPU busy, little memory.
AHEAD = 3
PIXEL = (1.0, 1.0)

Floats = npt.NDArray[np.float64]
Maps = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Evidence:
    """Where the networks saw evidence for a class of an image.

    Args:
        shown: the number of the class.
        maps: (T, S, S) float32 in [0, 1], of each input the mean over the networks.
        empty: whether no network saw any.
    """

    shown: int
    maps: Maps
    empty: bool


@dataclass(frozen=True, eq=False)
class Answer:
    """All that is known of one image once it was asked, before anything is written.

    Args:
        asked: the image.
        original: as it came.
        record: what is kept; `pixels` holds the mask where masks are drawn.
        evidence: None unless it was asked for.
    """

    asked: Asked
    original: Original
    record: Record
    evidence: Evidence | None


@dataclass(frozen=True, eq=False)
class _Loaded:
    asked: Asked
    original: Original
    inputs: Pixels


Finish = Callable[[Answer], Record]


def ask_images(
    model: Model, asked: Sequence[Asked], finish: Finish, *, evidence: bool = False
) -> Iterator[list[Record | tuple[str, str]]]:
    """Ask a model about images.

    Args:
        model: to be asked.
        asked: the images.
        finish: called with each answer, from several threads; gives what is kept of it.
        evidence: ask for evidence, too; every member of the model has an explainer.

    Yields:
        For each batch, in order, a record an image, or its name and why it cannot be read.
    """
    each = 1 if model.preparation.fit == "none" else max(1, model.batch_size // model.preparation.inputs_each)
    groups = [asked[start : start + each] for start in range(0, len(asked), each)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        try:
            reading: deque[list[Future[_Loaded | tuple[str, str]]]] = deque()
            writing: deque[list[Future[Record | tuple[str, str]] | tuple[str, str]]] = deque()
            for number in range(len(groups)):
                while len(reading) < AHEAD and number + len(reading) < len(groups):
                    reading.append([pool.submit(_load, model, one) for one in groups[number + len(reading)]])
                loaded = [future.result() for future in reading.popleft()]
                answers = iter(_ask(model, [one for one in loaded if isinstance(one, _Loaded)], evidence=evidence))
                writing.append(
                    [
                        pool.submit(_finish, model, *next(answers), finish) if isinstance(one, _Loaded) else one
                        for one in loaded
                    ]
                )
                if len(writing) == AHEAD:
                    yield _results(writing.popleft())
            while writing:
                yield _results(writing.popleft())
        finally:
            pool.shutdown(cancel_futures=True)


def _results(parts: "list[Future[Record | tuple[str, str]] | tuple[str, str]]") -> list[Record | tuple[str, str]]:
    return [part.result() if isinstance(part, Future) else part for part in parts]


def _load(model: Model, asked: Asked) -> _Loaded | tuple[str, str]:
    try:
        original = read_original(asked, model.preparation.channels, model.read)
        return _Loaded(asked, original, model.preparation.inputs(asked.name, original.pixels))
    except ImageError as error:
        return asked.name, " ".join(error.lines)
    except OSError as error:
        return asked.name, f"{asked.name}: cannot be read: {error.strerror or error}"


def _ask(
    model: Model, loaded: Sequence[_Loaded], *, evidence: bool
) -> list[tuple[_Loaded, list[Said], Floats | None, Evidence | None]]:
    """What the members say of the inputs of each image, calibrated probabilities (members, K), and evidence."""
    if not loaded:
        return []
    pixels = np.concatenate([one.inputs for one in loaded])
    said = [member.network.ask(pixels) for member in model.members]
    together = _calibrate(model, said, len(loaded)) if model.classes else None
    shown = _shown(model, together) if evidence and together is not None else None
    found = None if shown is None else _explain(model, pixels, shown)
    each = model.preparation.inputs_each
    parts = []
    for k, one in enumerate(loaded):
        own = slice(k * each, (k + 1) * each)
        cut = [{name: values[own] for name, values in part.items()} for part in said]
        proof = (
            None
            if found is None or shown is None
            else Evidence(int(shown[k]), found[0][own], bool(found[1][own].all()))
        )
        parts.append((one, cut, None if together is None else together[k], proof))
    return parts


def _calibrate(model: Model, said: Sequence[Said], images: int) -> Floats:
    """Calibrated probabilities of each image, (n, members, K), from those of its tiles where it has them."""
    columns = probability_columns(model.classes)
    united = []
    for member, part in zip(model.members, said, strict=True):
        raw = pd.DataFrame(shortest_decimals(part["probabilities"]), columns=columns)
        table = apply_decision(raw, model.classes, member.decision, multilabel=model.multilabel)
        calibrated = table[columns].to_numpy(dtype=np.float64)
        if model.preparation.tiles is not None:
            tiles = np.repeat(np.arange(images), model.preparation.inputs_each)
            aggregate = member.decision.aggregate
            calibrated = aggregate_probabilities(calibrated, tiles, aggregate, multilabel=model.multilabel)
        united.append(calibrated)
    return np.stack(united, axis=1)


def _shown(model: Model, together: Floats) -> npt.NDArray[np.int64]:
    """The class of each image whose evidence is shown: its answer; the most probable of several or none."""
    mean = together.mean(axis=1)
    answers = decide(mean, model.classes, model.decision(model.level), model.level, multilabel=model.multilabel)
    return np.where(answers.sum(axis=1) == 1, answers.argmax(axis=1), mean.argmax(axis=1)).astype(np.int64)


def _explain(model: Model, pixels: Pixels, shown: npt.NDArray[np.int64]) -> tuple[Maps, npt.NDArray[np.bool_]]:
    """The mean over the members of their maps (B, S, S), and where none of them saw anything (B,)."""
    classes = np.repeat(shown, model.preparation.inputs_each)
    found = [member.explainer.evidence(pixels, classes) for member in model.members if member.explainer is not None]
    maps = np.stack([part[0] for part in found]).mean(axis=0)
    return maps, np.all([part[1] for part in found], axis=0)


def _finish(
    model: Model,
    loaded: _Loaded,
    said: list[Said],
    probabilities: Floats | None,
    evidence: Evidence | None,
    finish: Finish,
) -> Record | tuple[str, str]:
    original, asked = loaded.original, loaded.asked
    height, width = original.pixels.shape[:2]
    masks = _masks(model, said, height, width) if model.mask_classes else []
    spacing = original.spacing
    pixel = np.prod(PIXEL if spacing is None else spacing)
    count = len(model.mask_classes)
    areas = [[float(n * pixel) for n in np.bincount(mask.ravel(), minlength=count)[1:]] for mask in masks]
    record = Record(
        image=asked.name,
        stamp=asked.stamp,
        patient=original.patient,
        study=original.study,
        probabilities=[] if probabilities is None else probabilities.tolist(),
        areas=areas[0] if areas else [],
        areas_each=areas[1:],
        unit=("px" if spacing is None else "mm") if masks else "",
        called="",
        unlike=_unlike(model, said, original),
        trained_on=_is_known(model, asked, original),
        pixels=masks[0] if masks else None,
    )
    try:
        return finish(Answer(asked, original, record, evidence))
    except ImageError as error:
        return asked.name, " ".join(error.lines)


def _masks(model: Model, said: list[Said], height: int, width: int) -> list[npt.NDArray[np.uint8]]:
    """The mask that all members draw together, and of several those of each, (H, W) uint8."""
    maps = [part["maps"] for part in said]
    together = maps[0] if len(maps) == 1 else np.stack(maps).mean(axis=0)
    wanted = [together, *(maps if len(maps) > 1 else [])]
    return [model.preparation.restore(one, height, width).argmax(axis=0).astype(np.uint8) for one in wanted]


def _unlike(model: Model, said: list[Said], original: Original) -> str | None:
    if not model.ranges:
        return None
    farness = [
        float(one.features.distances(part["features"]).mean() / one.features.farthest)
        for one, part in zip(model.ranges, said, strict=True)
        if one.features is not None and "features" in part and one.features.farthest > 0
    ]
    mean = float(np.mean(farness)) if farness else None
    height, width = original.pixels.shape[:2]
    return "; ".join(unlike_words(model.ranges, height, width, original.storage, mean))


def _is_known(model: Model, asked: Asked, original: Original) -> bool | None:
    if original.digest is None or model.known is None:
        return None
    tiles = model.preparation.tiles
    if tiles is None:
        return original.digest in model.known
    places = [(row, column) for row in range(1, tiles.rows + 1) for column in range(1, tiles.columns + 1)]
    return any(tile_digest(original.digest, *place, tiles) in model.known for place in places)
