"""The image table: one row an image. Its checks, which find all problems before anything is trained."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from medvision.data.cache import Inspection
from medvision.data.tiles import parse_tile_name
from medvision.errors import DataError

LABEL_SEPARATOR = "|"
MOST_LISTED = 10
RESERVED = ("target", "predicted", "fold")


@dataclass(frozen=True)
class Problem:
    """Rows of an image table that cannot be used as they are.

    Args:
        what: what is wrong, without the rows.
        where: the rows, as the reader of the message finds them: image names, mostly.
        rows: positions in the table that `on_bad_image: skip` leaves out; empty when skipping is no answer.
    """

    what: str
    where: Sequence[str]
    rows: Sequence[int] = ()

    def __str__(self) -> str:
        listed = ", ".join(self.where[:MOST_LISTED])
        more = f" and {len(self.where) - MOST_LISTED} more" if len(self.where) > MOST_LISTED else ""
        return f"{self.what}: {listed}{more}"


def normalise_table(table: pd.DataFrame, source: str) -> pd.DataFrame:
    """The table with the columns and types that the rest of medvision relies on.

    Args:
        table: what `read_table` returned.
        source: where it came from, for messages.

    Returns:
        A copy with a RangeIndex; `image`, `label`, `patient` and `study` as strings.

    Raises:
        DataError: no rows, no column `image`, neither `label` nor `mask`, or a column with a name that the prediction
            table needs.
    """
    if table.empty:
        raise DataError(f"{source}: no images found")
    absent = [] if "image" in table else ["image"]
    absent += [] if "label" in table or "mask" in table else ["label"]
    if absent:
        raise DataError(
            f"{source}: the image table has no column {' and no '.join(absent)}; it has {', '.join(table.columns)}"
        )
    taken = [name for name in map(str, table) if name in RESERVED or name.startswith("p_")]
    if taken:
        raise DataError(
            f"{source}: the image table has a column {' and a column '.join(taken)}, a name that the prediction table "
            "needs; rename it"
        )
    table = table.reset_index(drop=True)
    for column in ("image", "label", "mask", "patient", "study"):
        if column in table:
            table[column] = table[column].astype("string").astype(object)
    _refuse_outside(table, source)
    return table


def _refuse_outside(table: pd.DataFrame, source: str) -> None:
    """A table names files below the folder of its data set and no others; it may be somebody else's."""
    outside = []
    for column in ("image", "mask"):
        for cell in table.get(column, pd.Series(dtype=object)).dropna():
            # A mask cell joins files by `|`, each perhaps behind its class and `=`.
            names = [cell] if column == "image" else [part.rpartition("=")[2] for part in cell.split("|")]
            outside += [name for name in names if Path(name).is_absolute() or ".." in re.split(r"[/\\]", name)]
    if outside:
        raise DataError(
            f"{source}: {Problem('paths that lead out of the folder of the data set', outside)!s}; "
            "write them relative to data.root, without `..`"
        )


def require_groups(table: pd.DataFrame, group: str) -> None:
    """Refuse a table that does not say which patient an image shows, unless that was asked for.

    Raises:
        DataError: the column `group` is absent, or has gaps.
    """
    if group == "image":
        return
    if group not in table:
        raise DataError(
            f"split.group: the image table has no column '{group}', so one {group} could end up in training and test; "
            "name it by data.patient_pattern or as a column of the table, or write `split: {group: image}` if every "
            "image shows another patient"
        )
    gaps = table.index[table[group].isna() | (table[group].astype(str) == "")]
    if len(gaps):
        raise DataError(str(Problem(f"column '{group}' is empty in {len(gaps)} rows", list(table["image"][gaps]))))


def check_labels(table: pd.DataFrame, classes: Sequence[str], multilabel: bool) -> list[Problem]:
    """Rows without a label or with one that is no class; nothing where the table has no labels."""
    if "label" not in table:
        return []
    problems = []
    labels = table["label"]
    missing = table.index[labels.isna() | ((labels == "") & (not multilabel))]
    if len(missing):
        problems.append(Problem(f"{len(missing)} images without a label", list(table["image"][missing]), list(missing)))
    named = [label for label in labels.dropna() if label]
    given = {name for label in named for name in _names(label, multilabel)}
    strange = sorted(given - set(classes))
    if strange:
        there = labels.fillna("").map(lambda label: bool(_names(label, multilabel).intersection(strange)))
        where = table["image"][there]
        what = f"labels {', '.join(map(repr, strange))} are none of the classes {', '.join(classes)}"
        problems.append(Problem(what, list(where)))
    return problems


def check_mask_cells(table: pd.DataFrame) -> list[Problem]:
    """Rows without a mask; nothing where the table has no masks."""
    if "mask" not in table:
        return []
    missing = table.index[table["mask"].isna() | (table["mask"] == "")]
    if not len(missing):
        return []
    return [Problem(f"{len(missing)} images without a mask", list(table["image"][missing]), list(missing))]


def check_studies(table: pd.DataFrame) -> list[Problem]:
    """Studies whose images have different labels: there is no answer at the level of the study."""
    if "study" not in table or "label" not in table:
        return []
    keys = [column for column in ("patient", "study") if column in table]
    # Tiles may be labelled singly: an image with a finding has tiles without it.
    whole = table[[parse_tile_name(name)[1] is None for name in table["image"].astype(str)]]
    several = whole.dropna(subset=keys).groupby(keys)["label"].nunique()
    torn = several[several > 1]
    if not len(torn):
        return []
    names = ["/".join(key) if isinstance(key, tuple) else str(key) for key in torn.index]
    return [Problem(f"{len(torn)} studies have images with different labels; leave the study out or mend them", names)]


def _names(label: str, multilabel: bool) -> set[str]:
    return set(label.split(LABEL_SEPARATOR)) if multilabel else {label}


def check_duplicates(
    table: pd.DataFrame, digests: Sequence[str], group: str, mask_digests: Sequence[str] | None = None
) -> list[Problem]:
    """Rows named twice, and byte-identical images that belong to different groups or carry different answers.

    Args:
        table: the image table.
        digests: one content hash a row; an empty string where the image could not be read.
        group: the column of the split's groups; `image` makes every image its own group.
        mask_digests: one content hash a row; None without masks.
    """
    problems = []
    twice = table.index[table["image"].duplicated()]
    if len(twice):
        problems.append(Problem(f"{len(twice)} rows name an image again", list(table["image"][twice]), list(twice)))
    rows = table.assign(digest=list(digests), group=table[group], row=table.index)
    rows["answer"] = table.get("label", "")
    rows["mask_digest"] = "" if mask_digests is None else list(mask_digests)
    rows = rows[(rows["digest"] != "") & ~rows["image"].duplicated()]
    copies = rows[rows["digest"].duplicated(keep=False)]
    across: list[pd.DataFrame] = []
    labels: list[pd.DataFrame] = []
    masks: list[pd.DataFrame] = []
    for _, same in copies.groupby("digest", sort=False):
        if same["answer"].nunique() > 1:
            labels.append(same)
        elif same["mask_digest"].nunique() > 1:
            masks.append(same)
        elif same["group"].nunique() > 1:
            across.append(same)
    if labels:
        where = [" = ".join(f"{i} ({label})" for i, label in zip(s["image"], s["answer"], strict=True)) for s in labels]
        problems.append(Problem("identical images with different labels", where, _rows(labels)))
    if masks:
        where = [" = ".join(same["image"]) for same in masks]
        problems.append(Problem("identical images with different masks", where, _rows(masks)))
    if across:
        noun = "images" if group == "image" else f"{group}s"
        where = [" = ".join(same["image"]) for same in across]
        problems.append(Problem(f"identical images of different {noun}", where, _rows(across, first=1)))
    return problems


def _rows(groups: Sequence[pd.DataFrame], first: int = 0) -> list[int]:
    return [row for same in groups for row in same["row"].iloc[first:]]


def settle_problems(problems: Sequence[Problem], on_bad_image: str) -> list[int]:
    """Stop at problems, or say which rows to leave out.

    Args:
        problems: what the checks found.
        on_bad_image: `error` or `skip`.

    Returns:
        Positions of the rows to leave out; empty without problems.

    Raises:
        DataError: `on_bad_image` is `error` and there are problems, or skipping rows does not answer one of them.
    """
    fatal = [p for p in problems if on_bad_image == "error" or not p.rows]
    if fatal:
        hint = [] if any(not p.rows for p in fatal) else ["data.on_bad_image: skip leaves these images out"]
        raise DataError(*(str(problem) for problem in fatal), *hint)
    return sorted({row for problem in problems for row in problem.rows})


def find_problems(
    table: pd.DataFrame,
    images: Inspection,
    masks: Inspection | None,
    *,
    classes: Sequence[str],
    multilabel: bool,
    group: str,
    masks_together: Sequence[Problem] = (),
) -> list[Problem]:
    """Everything that is wrong with the rows of an image table and their files.

    Args:
        table: the image table.
        images: what was found in the image files.
        masks: what was found in the mask files; None without masks.
        classes: of the labels.
        multilabel: several classes an image.
        group: the column whose values must not share an image.
        masks_together: what the masks show together.
    """
    names = table["image"]
    problems = [Problem(why, [names[row]], [row]) for row, why in sorted(images.errors.items())]
    problems += check_labels(table, list(classes), multilabel)
    problems += check_studies(table)
    if masks is not None:
        problems += check_mask_cells(table)
        wrong = {row: why for row, why in sorted(masks.errors.items()) if row not in images.errors}
        told = [row for problem in problems for row in problem.rows]
        problems += [Problem(why, [names[row]], [row]) for row, why in wrong.items() if row not in told]
        problems += masks_together
    digests = None if masks is None else masks.digests
    return problems + check_duplicates(table, images.digests, group, digests)


def skipped_table(problems: Sequence[Problem], table: pd.DataFrame) -> pd.DataFrame:
    """`skipped.csv`: the images of all problems, each with its reason."""
    rows = [(table["image"][row], problem.what) for problem in problems for row in problem.rows]
    return pd.DataFrame(rows, columns=["image", "reason"])


def label_names(labels: pd.Series, *, multilabel: bool) -> list[str]:
    """The classes that occur, sorted; of several in one label each."""
    known = labels.dropna()
    return sorted(set(known.str.split(LABEL_SEPARATOR).explode() if multilabel else known) - {""})


def encode_labels(labels: pd.Series, classes: Sequence[str], *, multilabel: bool) -> np.ndarray:
    """Labels as numbers.

    Args:
        labels: checked; of several classes joined by `|`.
        classes: K names.
        multilabel: several classes an image, or none.

    Returns:
        int64 (n,) class numbers, or float32 (n, K) of zeros and ones.
    """
    number = {name: k for k, name in enumerate(classes)}
    if not multilabel:
        return labels.map(number).to_numpy(dtype=np.int64)
    targets = np.zeros((len(labels), len(number)), dtype=np.float32)
    for row, label in enumerate(labels.fillna("")):
        for name in filter(None, label.split(LABEL_SEPARATOR)):
            targets[row, number[name]] = 1
    return targets
