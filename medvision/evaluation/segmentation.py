"""The prediction table of masks, and the metrics of one split of it with intervals."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from medvision.data.table import MOST_LISTED, Problem
from medvision.errors import DataError
from medvision.evaluation.cases import patient_numbers
from medvision.evaluation.folds import Score, average, split_repeats, values_by_repeat
from medvision.evaluation.intervals import Entry, Method, interval_entry, resample
from medvision.evaluation.mask_scores import DISTANCES, OVERLAPS, score_names
from medvision.evaluation.predictions import LEADING

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

MEANS = (*OVERLAPS, *DISTANCES)
AREAS = ("area_error", "area_bias")
CLASS_METRICS = (*MEANS, *AREAS)
AREA_UNITS = {"mm": "mm²", "px": "px"}
"""Unit of distances -> unit of areas; an area in pixels is their number."""


def segmentation_table(table: pd.DataFrame, scores: pd.DataFrame, masks: Sequence[str], unit: str) -> pd.DataFrame:
    """Join the scores of predicted masks to the rows of the image table they were predicted for.

    Args:
        table: rows of the image table, with `split` and `fold`, or their prediction table where labels were predicted
            too; other columns follow as metadata, and its `mask` becomes `mask_true`.
        scores: the columns of `mask_scores.score_names`, one row an image.
        masks: paths of the saved masks.
        unit: of the distances, `mm` or `px`.

    Returns:
        Columns image, patient, study, split, fold as far as they are there; target, predicted, p_<class> of labels;
        mask, unit, scores; metadata. Scores keep the shortest decimals of their float32, so that a written table gives
        the same metrics.

    Raises:
        DataError: a column of the image table has the name of a column of the prediction table.
    """
    if not len(table) == len(scores) == len(masks):
        raise ValueError(f"{len(table)} images, {len(scores)} rows of scores and {len(masks)} masks; expected as many")
    own = {"mask_true", "unit", *scores.columns}
    taken = [name for name in table.columns if name in own]
    if taken:
        raise DataError(
            f"image table: rename the columns {', '.join(taken)}; the prediction table has such names itself"
        )
    leading = [name for name in LEADING if name in table] + _label_columns(list(table.columns))
    metadata = [name for name in table.columns if name not in leading]
    shortest = scores.to_numpy(np.float32).astype(str).astype(np.float64)
    parts = [
        table[leading].reset_index(drop=True),
        pd.DataFrame({"mask": list(masks), "unit": unit}),
        pd.DataFrame(shortest, columns=scores.columns),
        table[metadata].reset_index(drop=True).rename(columns={"mask": "mask_true"}),
    ]
    return pd.concat(parts, axis=1)


def _label_columns(columns: list[str]) -> list[str]:
    """What `prediction_table` has put there; no image table has such names."""
    if not {"target", "predicted"} <= set(columns):
        return []
    return ["target", "predicted", *(name for name in columns if name.startswith("p_"))]


def check_segmentation(frame: pd.DataFrame, classes: Sequence[str], *, where: str = "prediction table") -> None:
    """Refuse a prediction table from which no honest metric of masks can be computed.

    Args:
        frame: the rows of one split.
        classes: `mask_classes`, the background first.
        where: what the messages call the table, for instance its path.

    Raises:
        DataError: all that is wrong, a line each.
    """
    names = score_names(classes)
    missing = [name for name in ("image", "mask", "unit", *names) if name not in frame]
    if missing:
        raise DataError(f"{where}: no column {', '.join(missing)}; it has {', '.join(map(str, frame.columns))}")
    if frame.empty:
        raise DataError(f"{where}: no rows; predict the split first")
    problems = []
    units = sorted(set(frame["unit"].fillna("").astype(str)))
    if len(units) > 1 or units[0] not in AREA_UNITS:
        found = ", ".join(map(repr, units[:MOST_LISTED]))
        problems.append(f"column unit must hold mm in all rows or px in all, found {found}")
    twice = frame["image"].duplicated()
    if twice.any():
        problems.append(_at("an image stands in more than one row", frame, twice))
    for name in classes[1:]:
        problems += [_at(said, frame, wrong) for said, wrong in _wrong_scores(frame, name)]
    if problems:
        raise DataError(*(f"{where}: {problem}" for problem in problems))


def _wrong_scores(frame: pd.DataFrame, name: str) -> Iterator[tuple[str, Bools]]:
    """What cannot be of the scores of a class, and in which rows."""
    columns = {metric: f"{metric}_{name}" for metric in (*MEANS, "area", "area_true")}
    text = frame[list(columns.values())].to_numpy(dtype=object)
    numbers = frame[list(columns.values())].apply(pd.to_numeric, errors="coerce").to_numpy(dtype=np.float64)
    words = np.isnan(numbers) & ~pd.isna(text)
    score = dict(zip(columns, numbers.T, strict=True))
    for (metric, column), is_word in zip(columns.items(), words.T, strict=True):
        values = score[metric]
        wrong = is_word | (values < 0) | ((values > 1) if metric in OVERLAPS else False)
        if metric.startswith("area"):
            wrong |= ~np.isfinite(values)
        if wrong.any():
            expected = "numbers from 0 to 1" if metric in OVERLAPS else "numbers from 0"
            yield f"column {column} must hold {expected}, and does not at", wrong
    said, true = score["area"] > 0, score["area_true"] > 0
    defined = dict.fromkeys(("dice", "iou", *DISTANCES), said | true)
    defined |= {"pixel_sensitivity": true, "pixel_precision": said}
    for metric, there in defined.items():
        lost = np.isnan(score[metric]) == there
        if lost.any():
            yield (
                f"column {columns[metric]} must be empty where the areas leave it undefined, and only there; see",
                lost,
            )


def _at(what: str, frame: pd.DataFrame, rows: Bools | pd.Series) -> str:
    return str(Problem(what, list(frame["image"][rows].astype(str))))


@dataclass(frozen=True)
class MaskCases:
    """Scores of what is averaged: images, or the means of patients.

    Args:
        values: (n, C, M) float64, `CLASS_METRICS` of the C foreground classes; nan where not counted.
        infinite: (n, C, M) bool, whether an infinite distance was left out.
        groups: (n,) int64, the number of the patient, 0 to patients - 1.
        present: (C,) bool, whether the class occurs in any true mask; means over classes are over these.
    """

    values: Floats
    infinite: Bools
    groups: npt.NDArray[np.int64]
    present: Bools


def image_cases(frame: pd.DataFrame, classes: Sequence[str]) -> MaskCases:
    """One case a row of a checked prediction table."""
    scores = [frame[[f"{metric}_{name}" for name in classes[1:]]].to_numpy(np.float64) for metric in MEANS]
    said, true = (
        frame[[f"{area}_{name}" for name in classes[1:]]].to_numpy(np.float64) for area in ("area", "area_true")
    )
    # An image where neither mask shows a class would only dilute its area error.
    difference = np.where((said > 0) | (true > 0), said - true, np.nan)
    values = np.stack([*scores, np.abs(difference), difference], axis=2)
    infinite = np.isinf(values)
    present = np.count_nonzero(true, axis=0) > 0
    return MaskCases(np.where(infinite, np.nan, values), infinite, patient_numbers(frame), present)


def patient_cases(images: MaskCases) -> MaskCases:
    """The mean of the images of each patient that count; infinite if one of them is."""
    counted = np.isfinite(images.values)
    values = _ratio(
        _sum_groups(np.where(counted, images.values, 0), images.groups), _sum_groups(counted, images.groups)
    )
    infinite = _sum_groups(images.infinite, images.groups) > 0
    return MaskCases(values, infinite, np.arange(len(values)), images.present)


def _sum_groups(values: npt.NDArray[Any], groups: npt.NDArray[np.int64]) -> Floats:
    """(n, ...) -> (patients, ...)."""
    sums = np.zeros((int(groups.max()) + 1, *values.shape[1:]))
    np.add.at(sums, groups, values)
    return sums


def _ratio(above: Floats, below: Floats) -> Floats:
    return np.divide(above, below, out=np.full(np.shape(above), np.nan), where=below > 0)


def segmentation_metrics(
    frame: pd.DataFrame, classes: Sequence[str], *, resamples: int = 2000, seed: int = 0, interval: Method = "bca"
) -> dict[str, dict[str, Entry]]:
    """How good the predicted masks of one split are, and how sure that is.

    A metric of a class is the mean over the images where it is defined; at the level `patient` first over the images
    of a patient, then over patients. An infinite distance is left out and counted. `dice` and its like without a class
    are means over the classes that occur in the true masks, undefined where one of these is. Of a repeated
    cross-validation (column `repeat`) a value is the mean of those of the repeats; its interval draws each patient in
    all repeats at once.

    Args:
        frame: the rows of one split of the prediction table, or of the tests of all folds.
        classes: `mask_classes`, the background first.
        resamples: of the bootstrap over patients; 0 for no intervals.
        seed: of the bootstrap.
        interval: how intervals come from the resamples.

    Returns:
        {level: {metric: {value, low, high, method, n, patients}}}, level image, and patient where some have several
        images; None where undefined. n and patients are those that count. Distances and areas have a `unit`, distances
        also `infinite`: how many images, or patients with such an image, have an infinite one. `absent_mask_classes`
        names the classes without any true pixel, with n and patients of the whole split. Of several repeats an entry
        holds `repeats`, the value of each; n, patients and infinite are the fewest and the most of any.

    Raises:
        DataError: the table is not one that can be scored.
    """
    tables = split_repeats(frame)
    for table in tables:
        check_segmentation(table, classes)
    images = [image_cases(table, classes) for table in tables]
    levels = {"image": images}
    if "patient" in frame:
        named = tables[0]["patient"].fillna("").astype(str)
        if named[named != ""].duplicated().any():
            levels["patient"] = [patient_cases(cases) for cases in images]
    unit = str(frame["unit"].iloc[0])
    return {
        level: score_repeats(repeats, classes[1:], unit, resamples=resamples, seed=seed, interval=interval)
        for level, repeats in levels.items()
    }


def score_repeats(
    repeats: Sequence[MaskCases], names: Sequence[str], unit: str, *, resamples: int, seed: int, interval: Method
) -> dict[str, Entry]:
    """All metrics of one level, each the mean over repeats of a cross-validation.

    Args:
        repeats: the same images or patients, in the same order, as each repeat answered them.
        names: of the C foreground classes.
        unit: of the distances.
        resamples: of the bootstrap over patients; 0 for no intervals.
        seed: of the bootstrap.
        interval: how intervals come from the resamples.
    """
    cases, chosen = repeats[0], _choose_classes(repeats[0], names)
    patients = int(cases.groups.max()) + 1
    scores = [_scorer(one, chosen) for one in repeats]
    score, whole = average(scores), np.ones((patients, 1))
    resampled = resample(score, np.arange(patients), resamples=resamples, seed=seed, method=interval)
    by_repeat = values_by_repeat(scores, whole) if len(scores) > 1 else {}
    counts = [_sum_groups(np.isfinite(one.values), one.groups) for one in repeats]
    entries: dict[str, Entry] = {}
    for name, value in score(whole).items():
        m, which = chosen[name]
        fewest = min(int(np.count_nonzero(one[:, which, m], axis=0).min(initial=patients)) for one in counts)
        entries[name] = {
            **interval_entry(name, float(value[0]), resampled, fewest),
            "n": min(int(np.isfinite(one.values[:, which, m]).any(axis=1).sum()) for one in repeats),
            "patients": min(int(one[:, which, m].any(axis=1).sum()) for one in counts),
        }
        if CLASS_METRICS[m] in DISTANCES:
            infinite = max(int(one.infinite[:, which, m].any(axis=1).sum()) for one in repeats)
            entries[name] |= {"unit": unit, "infinite": infinite}
        elif CLASS_METRICS[m] in AREAS:
            entries[name]["unit"] = AREA_UNITS[unit]
        if name in by_repeat:
            entries[name]["repeats"] = by_repeat[name]
    absent = [name for name, there in zip(names, cases.present, strict=True) if not there]
    return {**entries, "absent_mask_classes": {"value": absent, "n": len(cases.values), "patients": patients}}


def _scorer(cases: MaskCases, chosen: dict[str, tuple[int, list[int]]]) -> Score:
    """The metrics under any weights of patients."""
    counted = np.isfinite(cases.values)
    sums = _sum_groups(np.where(counted, cases.values, 0), cases.groups)
    counts = _sum_groups(counted, cases.groups)

    def score(weights: Floats) -> dict[str, Floats]:
        # (M, C, R); a mean over classes is nan where the weights leave one of them out.
        means = np.stack(
            [_ratio(sums[..., m].T @ weights, counts[..., m].T @ weights) for m in range(len(CLASS_METRICS))]
        )
        return {name: _mean(means[m, which]) for name, (m, which) in chosen.items()}

    return score


def _choose_classes(cases: MaskCases, names: Sequence[str]) -> dict[str, tuple[int, list[int]]]:
    """Name of a metric -> its position in `CLASS_METRICS`, and the classes that it averages."""
    present = [int(c) for c in np.flatnonzero(cases.present)]
    chosen = {metric: (m, present) for m, metric in enumerate(MEANS)}
    of_class = {f"{metric}_{name}": (m, [c]) for c, name in enumerate(names) for m, metric in enumerate(CLASS_METRICS)}
    return chosen | of_class


def _mean(rows: Floats) -> Floats:
    """(C, R) -> (R,)."""
    return rows.mean(axis=0) if len(rows) else np.full(rows.shape[1], np.nan)
