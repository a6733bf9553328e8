"""Text, JSON and tables of a run folder: written whole or not at all, and read as if somebody else had written them."""

import csv
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from medvision.errors import RunError
from medvision.runs.shapes import check_shape

TEXT_COLUMNS = dict.fromkeys(
    ("image", "label", "mask", "mask_true", "patient", "study", "group", "target", "predicted", "unit"), str
)
# A spreadsheet runs a cell that begins so as a formula; a quote before it makes it text.
_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_QUOTED = re.compile(r"'+[=+\-@\t\r]")


def write_json(path: Path, value: Any) -> None:
    """Write plain values; the file appears complete or not at all."""
    replace_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def replace_text(path: Path, text: str) -> None:
    """Write a text file; it appears complete or not at all."""
    part = path.with_name(f".{path.name}.part")
    # It may be a link that somebody has put there.
    part.unlink(missing_ok=True)
    part.write_text(text, encoding="utf-8", newline="")
    part.replace(path)


def read_json(path: Path) -> Any:
    """Read plain values, of the shape that a file of this name has.

    Raises:
        RunError: the file is absent: the run did not get that far; or it holds something else.
    """
    text = read_text(_require(path))
    try:
        value = json.loads(text, parse_constant=_no_number)
    except RecursionError:
        raise RunError(f"{path}: damaged: nested too deeply") from None
    except ValueError as error:
        raise RunError(f"{path}: damaged, not JSON as medvision writes it: {str(error)[:200]}") from error
    check_shape(path, value)
    return value


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a table as CSV, see `table_text`; the file appears complete or not at all."""
    replace_text(path, table_text(table))


def table_text(table: pd.DataFrame) -> str:
    """A table as CSV.

    Text that a spreadsheet would run as a formula gets a quote before it, which `read_table` takes away again.
    """
    safe = _change_text(table, _FORMULA, lambda text: f"'{text}")
    text = safe.to_csv(index=False)
    # Of ends of lines, the writer sees only its own.
    return safe.to_csv(index=False, quoting=csv.QUOTE_NONNUMERIC) if "\r" in text else text


def read_table(path: Path) -> pd.DataFrame:
    """Read a CSV of a run folder; names stay text, an empty one stays empty.

    Raises:
        RunError: the file is absent: the run did not get that far; or it is no table.
    """
    try:
        header = pd.read_csv(_require(path), nrows=0).columns
        text = {name: kind for name, kind in TEXT_COLUMNS.items() if name in header}
        empty = {name: [""] for name in header if name not in text}
        table = pd.read_csv(path, dtype=text, keep_default_na=False, na_values=empty, low_memory=False)
    except (ValueError, OverflowError, OSError) as error:
        reason = str(error).partition("\n")[0][:200]
        raise RunError(f"{path}: damaged, not a CSV table as medvision writes it: {reason}") from error
    return _change_text(table.astype(dict.fromkeys(text, object)), _QUOTED, lambda text: text[1:])


def _change_text(table: pd.DataFrame, begins: re.Pattern[str], change: Callable[[str], str]) -> pd.DataFrame:
    """The table with the text changed, in cells and names of columns, that begins so and is no number."""

    def changed(value: Any) -> Any:
        return change(value) if isinstance(value, str) and begins.match(value) and not _is_number(value) else value

    for place, kind in enumerate(table.dtypes):
        if pd.api.types.is_string_dtype(kind) or pd.api.types.is_object_dtype(kind):
            column = table.iloc[:, place]
            cells = column.map(changed)
            if not cells.equals(column):
                table = table.copy(deep=False)
                table.isetitem(place, cells.to_numpy())
    return table.rename(columns=changed) if any(begins.match(str(name)) for name in table.columns) else table


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no number of JSON")


def read_text(path: Path) -> str:
    """Read a text file.

    Raises:
        RunError: it cannot be read, or is no text.
    """
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RunError(f"{path}: cannot be read as text: {error}") from error


def _require(path: Path) -> Path:
    if not path.is_file():
        raise RunError(
            f"{path}: not there; the run did not get that far, `medvision fit --resume {path.parent}` goes on"
        )
    return path
