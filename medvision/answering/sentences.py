"""Answers for the terminal: lines of a table, and what must be known of them."""

from typing import Any

import pandas as pd

from medvision.answering.model import Model
from medvision.evaluation.decimals import supported_decimals

MOST_COLUMNS = 4


def rows_of(model: Model, table: pd.DataFrame, level: str) -> list[list[str]]:
    """Cells of the answers for images, studies or patients, a head before them.

    Args:
        model: that has answered.
        table: one of `Answers`.
        level: image, study or patient: the first column.
    """
    digits = supported_decimals(model.patients)
    # Of two classes the probability of the second says both.
    classes = model.classes[1:] if len(model.classes) == 2 and not model.multilabel else model.classes
    shown = [name for name in classes if len(classes) <= MOST_COLUMNS]
    areas = [
        name for name in model.mask_classes[1:] if level == "image" and len(model.mask_classes) <= MOST_COLUMNS + 1
    ]
    counted = ["images"] if "images" in table else []
    answer = ["answer"] if model.classes else []
    rows = [[level, *counted, *answer, *shown, *(f"{name} area" for name in areas)]]
    for row in table.to_dict("records"):
        cells = [str(row[level]), *(str(row[name]) for name in counted)]
        if answer:
            cells.append(f"{row['predicted'] or 'none'}{' (trained on)' if row.get('trained_on') else ''}")
        cells += [_with_spread(row, f"p_{name}", f"sd_{name}", digits, "") for name in shown]
        decimals, unit = (1, " mm²") if row.get("unit") == "mm" else (0, " px")
        cells += [_with_spread(row, f"area_{name}", f"sd_area_{name}", decimals, unit) for name in areas]
        rows.append(cells)
    return rows


def _with_spread(row: dict[Any, Any], name: str, spread: str, digits: int, unit: str) -> str:
    value = f"{row[name]:.{digits}f}"
    return f"{value} ± {row[spread]:.{digits}f}{unit}" if spread in row else f"{value}{unit}"


def notes(model: Model, table: pd.DataFrame) -> list[str]:
    """What must be known of the answers for images, a sentence each.

    Args:
        model: that has answered.
        table: one row an image.
    """
    said = []
    if model.simulated:
        said.append(
            "SIMULATED: the run was trained on images that a program drew; its answers say nothing of patients."
        )
    if len(model.members) > 1:
        said.append(f"Mean of {len(model.members)} networks ± standard deviation over them.")
    known = int((table["trained_on"] == True).sum())  # noqa: E712  (the column may hold None)
    if known:
        said.append(
            f"{known} of {len(table)} images are among those that the run has learned from or was tuned on: these "
            "answers do not tell how it does on new ones."
        )
    if not model.ranges:
        said.append("This run does not know what its training images were like: unlike ones are not marked.")
        return said
    strange = table[table["unlike"] != ""]
    shown = strange.head(MOST_COLUMNS).to_dict("records")
    said += [f"{row['image']} is unlike the training images: {row['unlike']}." for row in shown]
    if len(strange) > MOST_COLUMNS:
        said.append(f"And {len(strange) - MOST_COLUMNS} more images; see the column `unlike`.")
    return said
