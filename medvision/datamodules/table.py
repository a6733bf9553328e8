"""A CSV or Parquet file that names the images and what is known of them."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from medvision.data.table import LABEL_SEPARATOR
from medvision.datamodules.masked import MaskedDataModule
from medvision.errors import ConfigError, DataError

MEANT = {"0": False, "1": True, "0.0": False, "1.0": True, "false": False, "true": True}


@dataclass(kw_only=True, eq=False)
class Table(MaskedDataModule):
    """Images named in a table; every further column is kept, and subgroups can be made of it.

    A column `split` with train, val and test is the official split.

    Args:
        table: the CSV, TSV or Parquet file, relative to `root`.
        image: paths of the images, relative to `root`.
        label: the class of an image; or a list of columns with 0 and 1, for several labels at once; null where only
            masks are learned.
        mask: the mask of an image, relative to `root`: a file; several joined by `|`; with a class before each,
            `fat=masks/1_fat.png|muscle=masks/1_muscle.png`, where there is one file a class. Null without masks.
        patient: who is shown; null where the table does not say.
        study: the study an image belongs to; null where there are none.
        class_order: the classes in the order of the outputs, the positive one of two last; null for sorted.
    """

    table: str = "labels.csv"
    image: str = "image"
    label: str | list[str] | None = "label"
    mask: str | None = None
    patient: str | None = "patient"
    study: str | None = None
    class_order: list[str] | None = None

    @property
    def multilabel(self) -> bool:
        """Whether several label columns were named."""
        return isinstance(self.label, list)

    @property
    def class_names(self) -> list[str]:
        """The label columns, the given order, or the sorted labels."""
        if isinstance(self.label, list):
            return list(self.label)
        return super().class_names if self.class_order is None else list(self.class_order)

    def read_table(self) -> pd.DataFrame:
        """See the class."""
        file = Path(self.root) / self.table
        labels = self.label if isinstance(self.label, list) else [self.label] if self.label else []
        self._check_parameters(labels)
        # The default column may be absent: whether that is a mistake depends on split.group.
        patient = self.patient
        required = [self.image, *labels] + [c for c in (patient, self.study, self.mask) if c and c != "patient"]
        table = read_labels(file, required)
        meanings = {"patient": patient, "study": self.study, "mask": self.mask}
        names = {self.image: "image"} | {column: name for name, column in meanings.items() if column}
        if isinstance(self.label, str):
            names[self.label] = "label"
        taken = [new for old, new in names.items() if old != new and new in table]
        unasked = [name for name, column in (("patient", patient), ("mask", self.mask)) if column is None]
        unasked += ["label"] if self.label is None else []
        dropped = {*taken, *(name for name in unasked if name in table and name not in names)}
        table = table.drop(columns=list(dropped)).rename(columns=names)
        return table.assign(label=_joined(table, labels, file)) if isinstance(self.label, list) else table

    def _check_parameters(self, labels: list[str]) -> None:
        if self.label is None and self.mask is None:
            raise ConfigError("data.label: null, and no data.mask: nothing could be learned; name one of the columns")
        if self.multilabel and len(labels) < 2:
            given = f"one column in a list; write `label: {labels[0]}`" if labels else "an empty list"
            raise ConfigError(f"data.label: {given}")
        if self.multilabel and self.class_order is not None:
            raise ConfigError("data.class_order: several label columns are in an order already; remove class_order")
        for key, names in (("label", labels), ("class_order", self.class_order or [])):
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise ConfigError(f"data.{key}: {', '.join(twice)} is named twice")


def read_labels(file: Path, required: Sequence[str]) -> pd.DataFrame:
    """A table with text in every cell.

    Args:
        file: CSV, TSV or Parquet.
        required: columns that must be there.

    Raises:
        DataError: no such file, not a table, or a column is absent.
    """
    if not file.is_file():
        tables = sorted(path.name for path in file.parent.glob("*") if path.suffix in (".csv", ".tsv", ".parquet"))
        raise DataError(f"{file}: no such table; the folder has {', '.join(tables) or 'no tables'}")
    try:
        if file.suffix == ".parquet":
            table = pd.read_parquet(file).astype("string").astype(object)
        else:
            # A class may be called None or NA: only an empty cell is empty.
            table = pd.read_csv(
                file,
                dtype=str,
                sep="\t" if file.suffix == ".tsv" else ",",
                encoding="utf-8-sig",
                keep_default_na=False,
                na_values=[""],
            )
    except ImportError as error:
        raise DataError(f"{file}: Parquet needs `pip install 'medvision-lightning[parquet]'`") from error
    except (ValueError, OSError) as error:
        raise DataError(f"{file}: cannot be read as a table: {str(error).splitlines()[0]}") from error
    problems = [f"{file}: the table has no rows"] if table.empty else []
    for column in required:
        if column not in table:
            near = difflib.get_close_matches(column, list(map(str, table.columns)), 1)
            hint = f"; did you mean '{near[0]}'?" if near else ""
            problems.append(f"{file}: no column '{column}', it has {', '.join(map(str, table.columns))}{hint}")
    if problems:
        raise DataError(*problems)
    return table


def _joined(table: pd.DataFrame, labels: list[str], file: Path) -> pd.Series:
    """Columns of 0 and 1 as the names of the columns that are 1."""
    shown = {}
    for column in labels:
        values = table[column].astype(str).str.lower().map(MEANT)
        if values.isna().any():
            row = int(values.isna().to_numpy().argmax())
            raise DataError(f"{file}:{row + 2}: '{column}' is {table[column].iloc[row]!r}, expected 0 or 1")
        shown[column] = values.astype(bool)
    rows = pd.DataFrame(shown).to_numpy()
    joined = [LABEL_SEPARATOR.join(name for name, there in zip(labels, row, strict=True) if there) for row in rows]
    return pd.Series(joined, index=table.index, dtype=object)
