"""The prediction table: one row an image, from which every metric, figure and comparison is computed."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from medvision.data.table import LABEL_SEPARATOR, MOST_LISTED
from medvision.errors import DataError

THRESHOLD = 0.5
SUM_TOLERANCE = 1e-3
LEADING = ("image", "patient", "study", "split", "fold")


def probability_columns(classes: Sequence[str]) -> list[str]:
    """The names of the probability columns, in the order of the classes."""
    return [f"p_{name}" for name in classes]


def prediction_table(
    table: pd.DataFrame, probabilities: np.ndarray, classes: Sequence[str], *, multilabel: bool = False
) -> pd.DataFrame:
    """Join predicted probabilities to the rows of the image table they were predicted for.

    Args:
        table: rows of the image table, with `split` and `fold`; other columns follow as metadata.
        probabilities: (n, K) float32 in [0, 1], one column a class.
        classes: K names.
        multilabel: `target` and `predicted` name every class of an image, joined by `|`.

    Returns:
        Columns image, patient, study, split, fold as far as they are there; target, predicted, p_<class>; metadata.
        Probabilities keep the shortest decimals of their float32, so that a written table gives the same metrics;
        `predicted` is the most probable class, or every label from 0.5 on, until a decision is applied.

    Raises:
        DataError: a column of the image table has the name of a column of the prediction table.
    """
    columns = probability_columns(classes)
    own = {"target", "predicted", *columns}
    taken = [name for name in table.columns if name in own]
    if taken:
        raise DataError(
            f"image table: rename the columns {', '.join(taken)}; the prediction table has such names itself"
        )
    values = np.asarray(probabilities, dtype=np.float32)
    if multilabel:
        predicted = [join_names(classes, row) for row in values >= THRESHOLD]
        target = table["label"].fillna("")
    else:
        predicted = [classes[k] for k in values.argmax(axis=1)]
        target = table["label"]
    leading = [name for name in LEADING if name in table]
    metadata = [name for name in table.columns if name not in {*leading, "label"}]
    shortest = pd.DataFrame(shortest_decimals(values), columns=columns)
    answer = pd.DataFrame({"target": target.to_numpy(), "predicted": np.array(predicted, dtype=object)})
    rows = table.reset_index(drop=True)
    return pd.concat([rows[leading], answer, shortest, rows[metadata]], axis=1)


def shortest_decimals(values: np.ndarray) -> np.ndarray:
    """The float64 with the shortest decimals that are still the same float32, so that a CSV stays small and exact."""
    return values.astype(np.float32).astype(str).astype(np.float64)


def join_names(classes: Sequence[str], shown: np.ndarray) -> str:
    """The names of the classes that are shown, (K,) bool, joined by `|` as in the columns target and predicted."""
    return LABEL_SEPARATOR.join(name for name, there in zip(classes, shown, strict=True) if there)


def check_predictions(
    frame: pd.DataFrame, classes: Sequence[str], *, multilabel: bool = False, where: str = "prediction table"
) -> None:
    """Refuse a prediction table from which no honest metric can be computed.

    Args:
        frame: the rows of one split.
        classes: the names that may occur.
        multilabel: several classes an image, or none; probabilities need not sum to 1.
        where: what the messages call the table, for instance its path.

    Raises:
        DataError: all that is wrong, a line each.
    """
    columns = probability_columns(classes)
    missing = [name for name in ("image", "target", "predicted", *columns) if name not in frame]
    if missing:
        raise DataError(f"{where}: no column {', '.join(missing)}; it has {', '.join(map(str, frame.columns))}")
    if frame.empty:
        raise DataError(f"{where}: no rows; predict the split first")
    problems = _check_names(frame, classes, multilabel)
    twice = frame["image"].duplicated()
    if twice.any():
        problems.append(f"an image stands in more than one row: {_list(frame['image'][twice])}")
    problems += _check_probabilities(frame, columns, multilabel)
    if problems:
        raise DataError(*(f"{where}: {problem}" for problem in problems))


def _check_names(frame: pd.DataFrame, classes: Sequence[str], multilabel: bool) -> list[str]:
    problems = []
    for column in ("target", "predicted"):
        names = frame[column].fillna("").astype(str)
        found = names.str.split(LABEL_SEPARATOR).explode() if multilabel else names
        unknown = sorted(set(found) - set(classes) - ({""} if multilabel else set()))
        if unknown:
            said = ", ".join(repr(name) for name in unknown[:MOST_LISTED])
            problems.append(f"column {column} holds {said}; the classes are {', '.join(classes)}")
    return problems


def _check_probabilities(frame: pd.DataFrame, columns: list[str], multilabel: bool) -> list[str]:
    numeric = frame[columns].apply(pd.to_numeric, errors="coerce").to_numpy(dtype=np.float64)
    outside = ~((numeric >= 0) & (numeric <= 1)).all(axis=1)
    if outside.any():
        return [f"probabilities must be numbers from 0 to 1, and are not at {_list(frame['image'][outside])}"]
    sums = numeric.sum(axis=1)
    wrong = np.abs(sums - 1) > SUM_TOLERANCE
    if not multilabel and wrong.any():
        return [f"the probabilities of an image must sum to 1, and do not at {_list(frame['image'][wrong])}"]
    return []


def _list(images: pd.Series) -> str:
    shown = ", ".join(images.astype(str).iloc[:MOST_LISTED])
    return shown if len(images) <= MOST_LISTED else f"{shown} and {len(images) - MOST_LISTED} more"
