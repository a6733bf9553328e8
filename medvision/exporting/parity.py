"""How far an exported file says what its run says, image by image, and whether that is near enough."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from medvision.answering.inputs import Pixels
from medvision.answering.model import Member, Model, Network, Said
from medvision.answering.model_info import Precision
from medvision.evaluation.decision import Decision, apply_decision
from medvision.evaluation.predictions import probability_columns, shortest_decimals

PREPARED, ORIGINAL = "prepared", "original"
DICE = "dice_"
Run = Callable[[Pixels], Said]
"""A graph as it lies in its file: from images (B, C, H, W) uint8 to its outputs by name."""


@dataclass(frozen=True)
class Tolerance:
    """What is near enough.

    Args:
        probability: most that the probability of a class may differ, at any image.
        flips: most images whose answer may be another, as a share.
        pixel: most that the probability of a class may differ, at any pixel.
        dice: least Dice of the masks of a class with those of the run, the mean over the images.
    """

    probability: float
    flips: float
    pixel: float
    dice: float


# Prepared images are the same numbers for both: what differs is the arithmetic. Originals go through another resizing.
TOLERANCES: dict[Precision, dict[str, Tolerance]] = {
    "fp32": {PREPARED: Tolerance(1e-4, 0.0, 1e-3, 0.9999), ORIGINAL: Tolerance(0.03, 0.01, 1.0, 0.99)},
    "fp16": {PREPARED: Tolerance(0.02, 0.01, 1.0, 0.995), ORIGINAL: Tolerance(0.05, 0.02, 1.0, 0.99)},
    "int8": {PREPARED: Tolerance(0.25, 0.05, 1.0, 0.95), ORIGINAL: Tolerance(0.25, 0.05, 1.0, 0.95)},
}
# The same weights in another file.
EXACT = {PREPARED: Tolerance(0.0, 0.0, 0.0, 1.0)}


@dataclass(frozen=True, eq=False)
class _Spoken:
    """What is said of one image: `probabilities` (K,), the answer, and `maps` (M, H, W), as far as there are any."""

    probabilities: npt.NDArray[np.float64] | None
    answer: str
    maps: npt.NDArray[np.float32] | None


def compare_answers(
    model: Model, reference: Network, exported: Member, run: Run | None, images: Iterable[tuple[str, Pixels]]
) -> pd.DataFrame:
    """Ask a run and its exported file about the same images.

    Args:
        model: of the run, whose images are whole (or tiles that were cut before).
        reference: its network.
        exported: the file, asked with images that are prepared outside.
        run: the file, asked with originals; None where it takes none.
        images: names and originals, (H, W) or (H, W, 3) uint8.

    Returns:
        A row an image and leg, `prepared` or `original`: `image`, `leg`; with labels `difference`, the largest of the
        probability of a class, and `flipped`, whether the answer is another; with masks `pixel_difference`, likewise at
        any pixel, and `dice_<class>` of both masks at the size of the original, nan where neither shows the class.
    """
    rows = []
    size = 1 if model.preparation.fit == "none" else model.batch_size
    for group in _groups(images, size):
        inputs = np.concatenate([model.preparation.inputs(name, pixels) for name, pixels in group])
        decision = model.members[0].decision
        said, echoed = reference.ask(inputs), exported.network.ask(inputs)
        for k, (name, pixels) in enumerate(group):
            height, width = pixels.shape[:2]
            expected = _spoken(model, _cut(said, k), decision, (height, width))
            found = _spoken(model, _cut(echoed, k), exported.decision, (height, width))
            rows.append({"image": name, "leg": PREPARED, **_differences(model, expected, found)})
            if run is not None:
                whole = np.ascontiguousarray(np.atleast_3d(pixels).transpose(2, 0, 1)[None])
                found = _spoken(model, run(whole), exported.decision, None)
                rows.append({"image": name, "leg": ORIGINAL, **_differences(model, expected, found)})
    return pd.DataFrame(rows)


def _groups(images: Iterable[tuple[str, Pixels]], size: int) -> Iterator[list[tuple[str, Pixels]]]:
    group: list[tuple[str, Pixels]] = []
    for one in images:
        group.append(one)
        if len(group) == size:
            yield group
            group = []
    if group:
        yield group


def _cut(said: Said, k: int) -> Said:
    return {name: values[k : k + 1] for name, values in said.items()}


def _spoken(model: Model, said: Said, decision: Decision, size: tuple[int, int] | None) -> _Spoken:
    """What is said of one image, from outputs (1, ...); maps of a square go back to the size of the original."""
    probabilities, answer, maps = None, "", None
    if model.classes:
        columns = probability_columns(model.classes)
        raw = pd.DataFrame(shortest_decimals(said["probabilities"]), columns=columns)
        table = apply_decision(raw, model.classes, decision, multilabel=model.multilabel)
        probabilities, answer = table[columns].to_numpy(dtype=np.float64)[0], str(table["predicted"].iloc[0])
    if model.mask_classes:
        maps = said["mask_probabilities"][0] if size is None else model.preparation.restore(said["maps"], *size)
    return _Spoken(probabilities, answer, maps)


def _differences(model: Model, expected: _Spoken, found: _Spoken) -> dict[str, Any]:
    row: dict[str, Any] = {}
    if expected.probabilities is not None and found.probabilities is not None:
        row["difference"] = float(np.abs(expected.probabilities - found.probabilities).max())
        row["flipped"] = expected.answer != found.answer
    if expected.maps is not None and found.maps is not None:
        row["pixel_difference"] = float(np.abs(expected.maps - found.maps).max())
        ours, theirs = expected.maps.argmax(axis=0), found.maps.argmax(axis=0)
        for number, name in enumerate(model.mask_classes[1:], start=1):
            row[f"{DICE}{name}"] = dice(ours == number, theirs == number)
    return row


def dice(left: npt.NDArray[np.bool_], right: npt.NDArray[np.bool_]) -> float:
    """Dice of two masks (H, W); nan where both are empty."""
    both = int(left.sum()) + int(right.sum())
    return 2 * int((left & right).sum()) / both if both else float("nan")


def summarise(table: pd.DataFrame, tolerances: dict[str, Tolerance]) -> dict[str, Any]:
    """What a table of differences says together.

    Args:
        table: from `compare_answers`.
        tolerances: of each leg.

    Returns:
        {leg: {`images`, `tolerance`; with labels `largest_difference`, its `image`, `flips`; with masks
        `largest_pixel_difference`, its `pixel_image`, and `dice`: {class: {`mean`, `lowest`, `image`}}, values None
        where no mask shows the class; `failures`, a sentence each}}.
    """
    return {
        str(leg): _summarise_leg(rows.reset_index(drop=True), tolerances[str(leg)])
        for leg, rows in table.groupby("leg", sort=False)
    }


def _summarise_leg(rows: pd.DataFrame, tolerance: Tolerance) -> dict[str, Any]:
    found: dict[str, Any] = {"images": len(rows), "tolerance": vars(tolerance)}
    failures = []
    if "difference" in rows:
        found["largest_difference"], found["image"] = _worst(rows, "difference")
        found["flips"] = int(rows["flipped"].sum())
        failures += _too_far("a probability", found["largest_difference"], tolerance.probability, found["image"])
        if found["flips"] > tolerance.flips * len(rows):
            first = rows.loc[rows["flipped"].to_numpy(dtype=bool), "image"].iloc[0]
            failures.append(
                f"{found['flips']} of {len(rows)} answers are others (at most {tolerance.flips:.0%}), first at {first}"
            )
    if "pixel_difference" in rows:
        found["largest_pixel_difference"], found["pixel_image"] = _worst(rows, "pixel_difference")
        failures += _too_far(
            "the probability of a pixel", found["largest_pixel_difference"], tolerance.pixel, found["pixel_image"]
        )
        columns = [name for name in map(str, rows.columns) if name.startswith(DICE)]
        found["dice"] = {name.removeprefix(DICE): _agreement(rows, name) for name in columns}
        failures += [
            f"Dice of {name} with the masks of the run is {entry['mean']:.4f} (at least {tolerance.dice:g}), lowest at "
            f"{entry['image']}"
            for name, entry in found["dice"].items()
            if entry["mean"] is not None and entry["mean"] < tolerance.dice
        ]
    return {**found, "failures": failures}


def _worst(rows: pd.DataFrame, column: str) -> tuple[float | None, str]:
    """The largest difference and its image; None for what is no number, which is worse than any."""
    values = rows[column].to_numpy(dtype=np.float64)
    row = int(np.where(np.isfinite(values), values, np.inf).argmax())
    return float(values[row]) if np.isfinite(values[row]) else None, str(rows["image"].iloc[row])


def _too_far(what: str, value: float | None, most: float, image: str) -> list[str]:
    if value is not None and value <= most:
        return []
    return [f"{what} {'is no number' if value is None else f'differs by {value:.2g} (at most {most:g})'} at {image}"]


def _agreement(rows: pd.DataFrame, column: str) -> dict[str, float | str | None]:
    values = rows[column].to_numpy(dtype=np.float64)
    if np.isnan(values).all():
        return {"mean": None, "lowest": None, "image": None}
    row = int(np.nanargmin(values))
    return {"mean": float(np.nanmean(values)), "lowest": float(values[row]), "image": str(rows["image"].iloc[row])}
