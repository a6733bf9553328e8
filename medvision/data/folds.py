"""The folds of a cross-validation: drawn, one for every group, or one for every value of a column."""

import numpy as np
import pandas as pd

from medvision.config.settings import SplitSettings
from medvision.data.stratification import Integers, Names, assign_parts, deal_parts
from medvision.data.table import MOST_LISTED
from medvision.errors import DataError

LEAVE_ONE_OUT = "leave_one_out"
NO_FOLD = -1


def group_names(table: pd.DataFrame, settings: SplitSettings) -> Names:
    """What must stay together, (n,) text: the values of the column `settings.group`, or each image on its own."""
    return (table["image"] if settings.group == "image" else table[settings.group]).astype(str).to_numpy()


def fold_count(table: pd.DataFrame, settings: SplitSettings) -> int:
    """How many folds a cross-validation of an image table has.

    Args:
        table: the image table.
        settings: the `split` section of the experiment.

    Raises:
        DataError: the column of `fold_by` is not there, has holes, or tears a group.
    """
    groups = group_names(table, settings)
    if settings.fold_by is not None:
        return len(np.unique(_values_of(table, groups, settings)))
    return len(np.unique(groups)) if settings.folds == LEAVE_ONE_OUT else int(settings.folds)


def are_given(settings: SplitSettings) -> bool:
    """Whether the data say what the folds are, so that no seed can draw them anew."""
    return settings.fold_by is not None or settings.folds == LEAVE_ONE_OUT


def assign_folds(
    table: pd.DataFrame, groups: Names, strata: Names | Integers, settings: SplitSettings, seed: int
) -> Integers:
    """The fold in which each image is tested; -1 where there are fewer groups than folds and none is asked for.

    Args:
        table: the image table.
        groups: (n,) of each image.
        strata: (n,) the class of each image.
        settings: the `split` section of the experiment.
        seed: of the split.

    Returns:
        (n,) int64. Folds of `leave_one_out` and `fold_by` are numbered in the order of the names.

    Raises:
        DataError: `split.fold` is out of range, or as `fold_count`.
    """
    count = fold_count(table, settings)
    if settings.fold is not None and settings.fold >= count:
        raise DataError(f"split.fold: {settings.fold} is out of range, {count} folds are numbered from 0")
    if settings.fold_by is not None:
        return np.unique(_values_of(table, groups, settings), return_inverse=True)[1]
    if settings.folds == LEAVE_ONE_OUT:
        return np.unique(groups, return_inverse=True)[1]
    if settings.fold is None and len(np.unique(groups)) < count:
        return np.full(len(table), NO_FOLD)
    return assign_parts(groups, strata, count, seed)


def assign_inner_folds(
    fold: Integers, groups: Names, strata: Names | Integers, settings: SplitSettings, seed: int
) -> Integers:
    """The folds into which everything but the test fold is split once more, to choose settings without it.

    Args:
        fold: (n,) what `assign_folds` gave.
        groups: (n,) of each image.
        strata: (n,) the class of each image.
        settings: the `split` section of the experiment, with `fold` and `inner_fold`.
        seed: of the split.

    Returns:
        (n,) int64; -1 for the images of the test fold.

    Raises:
        DataError: fewer groups than inner folds are left.
    """
    rest = np.flatnonzero(fold != settings.fold)
    left = pd.DataFrame({"group": groups[rest], "stratum": strata[rest]}).drop_duplicates()
    if left["group"].nunique() < settings.inner_folds:
        raise DataError(
            f"split.inner_folds: {settings.inner_folds}, but without fold {settings.fold} only "
            f"{left['group'].nunique()} different values of '{settings.group}' are left; choose fewer"
        )
    enough = left["stratum"].value_counts().min() >= settings.inner_folds
    inner = np.full(len(groups), NO_FOLD)
    inner[rest] = (assign_parts if enough else deal_parts)(groups[rest], strata[rest], settings.inner_folds, seed)
    return inner


def _values_of(table: pd.DataFrame, groups: Names, settings: SplitSettings) -> Names:
    """The value of `fold_by` of each image, (n,) text."""
    column = settings.fold_by
    if column not in table:
        known = ", ".join(table.columns)
        raise DataError(f"split.fold_by: the image table has no column '{column}'; it has {known}")
    values = table[column]
    empty = values.isna() | (values.astype(str) == "")
    if empty.any():
        first = table["image"][empty].iloc[0]
        raise DataError(
            f"split.fold_by: {int(empty.sum())} images have no {column}, first {first}; every image needs one"
        )
    text = values.astype(str)
    torn = text.groupby(groups).nunique()
    torn = torn[torn > 1]
    if len(torn):
        names = [f"{group} ({', '.join(sorted(text[groups == group].unique()))})" for group in torn.index[:MOST_LISTED]]
        raise DataError(
            f"split.fold_by: {len(torn)} values of '{settings.group}' have more than one {column}: {', '.join(names)}"
            f"{' …' if len(torn) > MOST_LISTED else ''}; every image of one {settings.group} belongs in one fold"
        )
    if text.nunique() < 2:
        raise DataError(f"split.fold_by: all images have the same {column}; folds need at least two values")
    return text.to_numpy()
