"""Whether several models were tested on the same images, patients and targets, and their tables in one order."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from medvision.data.table import MOST_LISTED
from medvision.errors import DataError

KEY = ["repeat", "image"]
CURE = "compare runs of the same data, split and seed"


def check_same_cases(tables: Mapping[str, pd.DataFrame]) -> None:
    """Refuse to compare models that were not tested on the same.

    Args:
        tables: {model: rows of one split of its prediction table}.

    Raises:
        DataError: images, patients, studies, targets or true areas of masks differ, or repeats; a line for each model
            that differs from the first, with how many and a few of them. Models that were asked for other things
            altogether, labels here and masks there.
    """
    keyed = {model: _keyed(model, table) for model, table in tables.items()}
    (first, reference), *others = keyed.items()
    columns = compared_columns(tables)
    problems: list[str] = []
    for model, table in others:
        missing = _list(reference.index.difference(table.index)), _list(table.index.difference(reference.index))
        for lost, here, there in zip(missing, (first, model), (model, first), strict=True):
            if lost:
                problems.append(f"{here} and {there}: {lost} tested by {here} and not by {there}; {CURE}")
        if any(missing):
            continue
        same = table.loc[reference.index]
        for column in columns:
            differs = ~_equal(_column(reference, column), _column(same, column))
            if differs.any():
                said = _list(reference.index[differs])
                problems.append(f"{first} and {model}: {said} with another {_title(column)}; {CURE}")
    if problems:
        raise DataError(*problems)


def align_tables(tables: Mapping[str, pd.DataFrame]) -> tuple[dict[str, pd.DataFrame], list[str]]:
    """The same rows in the same order, with what all models were asked for.

    Args:
        tables: checked by `check_same_cases`.

    Returns:
        The tables, without the labels or masks that only some models have, and what a reader must know of it, a
        sentence each.
    """
    notes = []
    aligned = {
        model: table.sort_values([name for name in KEY if name in table], kind="stable", ignore_index=True)
        for model, table in tables.items()
    }
    for column, what in {"target": "labels", "unit": "masks"}.items():
        having = [model for model, table in tables.items() if column in table]
        if having and len(having) < len(tables):
            notes.append(f"Only {', '.join(having)} predicts {what}; they are not compared.")
            aligned = {model: table.drop(columns=column, errors="ignore") for model, table in aligned.items()}
    folds = [table["fold"].fillna("").astype(str) for table in aligned.values() if "fold" in table]
    if len(folds) == len(aligned) and any((fold != folds[0]).any() for fold in folds[1:]):
        notes.append("The folds are not the same: an image was tested by models that were trained on other patients.")
    return aligned, notes


def compared_columns(tables: Mapping[str, pd.DataFrame]) -> list[str]:
    """The columns that must be the same: patient, study, and the truth of what all models were asked for.

    Args:
        tables: {model: rows of its prediction table}.

    Raises:
        DataError: there is neither a label nor a mask that all models were asked for.
    """
    shared = set.intersection(*({str(name) for name in table} for table in tables.values()))
    if not shared & {"target", "unit"}:
        kinds = [f"{model} has {_kind(table)}" for model, table in tables.items()]
        raise DataError(f"comparison: {', '.join(kinds)}; compare models that answer the same question")
    truth = ["target"] if "target" in shared else []
    if "unit" in shared:
        names = {str(name) for table in tables.values() for name in table if str(name).startswith("area_true_")}
        truth += ["unit", *sorted(names)]
    return [*(name for name in ("patient", "study") if any(name in table for table in tables.values())), *truth]


def _kind(table: pd.DataFrame) -> str:
    kinds = [what for column, what in {"target": "labels", "unit": "masks"}.items() if column in table]
    return " and ".join(kinds) or "neither labels nor masks"


def _keyed(model: str, table: pd.DataFrame) -> pd.DataFrame:
    """Rows by repeat and image; without repeats the number is empty."""
    if "image" not in table or table.empty:
        raise DataError(f"{model}: no rows with a column image; predict the test split first")
    repeat = _text(table["repeat"]) if "repeat" in table else pd.Series("", index=table.index)
    index = pd.MultiIndex.from_arrays([repeat, table["image"].astype(str)], names=KEY)
    if index.has_duplicates:
        raise DataError(f"{model}: {_list(index[index.duplicated()])} in more than one row of the prediction table")
    return table.set_index(index)


def _column(table: pd.DataFrame, name: str) -> pd.Series:
    """A column as it is compared; one that is not there is empty."""
    if name not in table:
        return pd.Series("", index=table.index)
    return table[name] if name.startswith("area_true_") else _text(table[name])


def _text(values: pd.Series) -> pd.Series:
    """Words; whole numbers without the decimals that an empty cell beside them brings."""
    numbers = values.dtype.kind == "f" and bool((values.dropna() % 1 == 0).all())
    return (values.astype("Int64") if numbers else values).astype(object).where(values.notna(), "").astype(str)


def _equal(one: pd.Series, other: pd.Series) -> np.ndarray:
    if one.dtype.kind == "f" and other.dtype.kind == "f":
        return np.isclose(one.to_numpy(), other.to_numpy(), rtol=1e-5, equal_nan=True)
    return np.asarray(one.to_numpy() == other.to_numpy(), dtype=bool)


def _title(column: str) -> str:
    named = {"unit": "unit of distances"}
    return named.get(column, column.replace("area_true_", "true area of ").replace("_", " "))


def _list(index: pd.Index) -> str:
    """`2 images (a.png, b.png of repeat 1)`; nothing of none."""
    if len(index) == 0:
        return ""
    named = [f"{image} of repeat {repeat}" if repeat else str(image) for repeat, image in index[:MOST_LISTED]]
    more = f" and {len(index) - MOST_LISTED} more" if len(index) > MOST_LISTED else ""
    return f"{len(index)} {'image' if len(index) == 1 else 'images'} ({', '.join(named)}{more})"
