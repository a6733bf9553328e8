"""Columns of metadata become groups: which columns, and how ages and other numbers are banded."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pandas as pd
from sklearn.metrics import adjusted_rand_score

from medvision.errors import DataError
from medvision.evaluation.mask_scores import score_names
from medvision.evaluation.predictions import LEADING, probability_columns

AGE_NAMES = frozenset({"age", "patientage", "ageyears", "ageinyears"})
AGE_STARTS = (0, 18, 40, 60, 80)
OLDEST = 120
# The age string of DICOM (PS3.5, 6.2): three digits and their unit.
DICOM_AGE = re.compile(r"(\d{3})([DWMY])")
YEARS = {"D": 1 / 365.25, "W": 7 / 365.25, "M": 1 / 12, "Y": 1.0}

MOST_VALUES = 12
UNKNOWN = frozenset({"", "nan", "na", "n/a", "unknown", "missing"})
MOST_COLUMNS = 8
OWN = frozenset({"target", "predicted", "mask", "mask_true", "unit", "row_mm", "column_mm"})
# Words in the name of a column that say it is about the file or its record, not about patient or image.
RECORD = re.compile(
    "ids?|uid|uuid|guid|accession|file|filename|path|url|uri|link|doi|licence|license|citation|hash|md5|sha1?|sha256"
    "|digest|checksum|spacing|pixel|split|fold|frame|index|changes?|comments?|notes?|date|time|timestamp"
)
WELL_KNOWN = re.compile(
    "age|sex|gender|site|hospital|centre|center|institution|country|device|scanner|manufacturer|vendor|model|probe"
    "|transducer|body|part|region|view|projection|side|laterality|ethnicity|race|skin"
)
# Two columns that divide the cases so much alike tell the same story twice.
ALIKE = 0.9
FEWEST_DIGITS, MOST_DIGITS = 3, 15


@dataclass(frozen=True)
class Grouping:
    """A column of metadata as groups.

    Args:
        column: its name.
        names: (n,) object, the group of each row; None where it is not known.
        order: the groups that occur, as they are shown.
        notes: what a reader must know of them, a sentence each.
    """

    column: str
    names: np.ndarray
    order: tuple[str, ...]
    notes: tuple[str, ...] = ()


def group_column(column: str, values: pd.Series) -> Grouping:
    """The groups of one column: bands of age, thirds of other numbers with more than 12 values, else the values.

    Args:
        column: its name.
        values: one a row, of any type; empty cells and words such as `unknown` are not known.
    """
    known = _known(values)
    words = values.astype(str).str.strip().where(known)
    numbers = pd.to_numeric(words, errors="coerce").astype(np.float64)
    if _plain_name(column) in AGE_NAMES:
        years = _years(words, numbers)
        if years.notna().any():
            bands = pd.cut(years, [*AGE_STARTS, np.inf], right=False, labels=_age_labels())
            shown = [name for name in _age_labels() if (bands == name).any()]
            if len(shown) > 1 or years.nunique() <= MOST_VALUES:
                return Grouping(column, _objects(bands), tuple(shown))
            # One band alone, as of children only, would say nothing.
            return _thirds(column, years)
    numeric = known.any() and np.isfinite(numbers[known]).all()
    if numeric and numbers.nunique() > MOST_VALUES:
        return _thirds(column, numbers)
    if numeric:
        order = [_number_text(number) for number in sorted(numbers.dropna().unique())]
        return Grouping(column, _objects(numbers.map(_number_text, na_action="ignore")), tuple(order))
    return Grouping(column, _objects(words), tuple(sorted(words.dropna().unique())))


def find_groupings(
    table: pd.DataFrame, columns: Sequence[str] | None, classes: Sequence[str], mask_classes: Sequence[str]
) -> list[Grouping]:
    """The columns by which everything is scored apart.

    Found by themselves are columns with 2 to 12 groups that are about patient or image: no identifier, path, licence,
    date or pixel size, nothing that has one target in each group, as it would be the answer again, and nothing that
    divides the rows almost as another column does (adjusted Rand index of Hubert & Arabie 1985 above 0.9). 8 at most,
    well-known ones such as age, sex and site first.

    Args:
        table: the rows of one split of the prediction table.
        columns: asked for by name; None to find them.
        classes: of the labels.
        mask_classes: of the masks, the background first.

    Raises:
        DataError: a column that was asked for is not there.
    """
    if columns is not None:
        check_columns(columns, [str(name) for name in table.columns])
        return [group_column(name, table[name]) for name in columns]
    own = {*LEADING, *OWN, *probability_columns(classes), *(score_names(mask_classes) if mask_classes else ())}
    chosen: list[Grouping] = []
    for name in sorted((str(name) for name in table.columns), key=lambda name: not _about(name, WELL_KNOWN)):
        if name in own or name.startswith("p_") or _about(name, RECORD) or _numbers_rows(table[name]):
            continue
        grouping = group_column(name, table[name])
        if not 2 <= len(grouping.order) <= MOST_VALUES or _tells_target(grouping, table):
            continue
        twin = next((k for k, other in enumerate(chosen) if _alike(grouping, other)), None)
        if twin is None:
            chosen.append(grouping)
        else:
            said = f"{name} divides the images almost as {chosen[twin].column} does, and is not shown."
            chosen[twin] = replace(chosen[twin], notes=(*chosen[twin].notes, said))
    return _first(chosen)


def check_columns(columns: Sequence[str], there: Sequence[str]) -> None:
    """Refuse columns that are not there.

    Args:
        columns: asked for.
        there: of the image table or of the prediction table.

    Raises:
        DataError: they are named.
    """
    missing = [name for name in columns if name not in there]
    if missing:
        own = {*LEADING, *OWN}
        found = [name for name in there if name not in own and not name.startswith("p_")]
        raise DataError(
            f"evaluation.subgroups: no column {', '.join(missing)} in the image table; its metadata are "
            f"{', '.join(found) or 'none'}"
        )


def _first(chosen: list[Grouping]) -> list[Grouping]:
    kept, more = chosen[:MOST_COLUMNS], [grouping.column for grouping in chosen[MOST_COLUMNS:]]
    if not more:
        return kept
    said = f"Not scored apart, unless named in evaluation.subgroups: {', '.join(more)}."
    return [*kept[:-1], replace(kept[-1], notes=(*kept[-1].notes, said))]


def _known(values: pd.Series) -> pd.Series:
    return values.notna() & ~values.astype(str).str.strip().str.lower().isin(UNKNOWN)


def _about(name: str, words: re.Pattern[str]) -> bool:
    """Whether a word of a column's name is one of these; `PatientAge` and `patient_age` have the same words."""
    found = re.findall(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])", name)
    return any(words.fullmatch(word.lower()) for word in found)


def _plain_name(name: str) -> str:
    return re.sub(r"[^a-z]", "", name.lower())


def _years(words: pd.Series, numbers: pd.Series) -> pd.Series:
    """Ages in years; nan where it is no age of a human being."""
    found = words.str.upper().str.extract(f"^{DICOM_AGE.pattern}$")
    coded = found[0].astype(np.float64) * found[1].map(YEARS).astype(np.float64)
    years = numbers.fillna(coded)
    return years.where((years >= 0) & (years <= OLDEST))


def _age_labels() -> list[str]:
    return [*(f"{start}-{end - 1}" for start, end in pairwise(AGE_STARTS)), f"{AGE_STARTS[-1]}+"]


def _thirds(column: str, numbers: pd.Series) -> Grouping:
    """Numbers in thirds of the rows, each called by its least and greatest value."""
    known = numbers[np.isfinite(numbers)]
    bounds = np.unique(np.quantile(known, [1 / 3, 2 / 3]))
    third = np.searchsorted(bounds, known)
    ends = [(known[third == k].min(), known[third == k].max()) for k in np.unique(third)]
    texts = _bound_texts(ends)
    names = dict(zip(np.unique(third), texts, strict=True))
    groups = pd.Series(None, index=numbers.index, dtype=object)
    groups[known.index] = [names[k] for k in third]
    return Grouping(column, _objects(groups), tuple(texts))


def _bound_texts(ends: Sequence[tuple[float, float]]) -> list[str]:
    """With as many digits as it takes to tell the end of one third from the start of the next."""
    between = [(before[1], after[0]) for before, after in pairwise(ends)]
    digits = next(
        (d for d in range(FEWEST_DIGITS, MOST_DIGITS) if all(_cut(a, d) != _cut(b, d) for a, b in between)), MOST_DIGITS
    )
    return [f"{_cut(low, digits)} to {_cut(high, digits)}" if low < high else _cut(low, digits) for low, high in ends]


def _cut(number: float, digits: int) -> str:
    """Significant digits, but all of those before the point."""
    whole = len(str(int(abs(number))))
    return np.format_float_positional(number, precision=max(digits, whole), fractional=False, trim="-")


def _number_text(number: float) -> str:
    return np.format_float_positional(number, trim="-")


def _objects(names: pd.Series) -> np.ndarray:
    """(n,) object, None where missing."""
    there = names.astype(object)
    return there.where(there.notna(), None).to_numpy()


def _numbers_rows(values: pd.Series) -> bool:
    """Whether a column counts its rows: whole numbers, another one in each row."""
    numbers = pd.to_numeric(values, errors="coerce").to_numpy(np.float64)
    whole = np.isfinite(numbers).all() and (numbers == np.round(numbers)).all()
    return bool(whole) and len(np.unique(numbers)) == len(numbers) > MOST_VALUES


def _tells_target(grouping: Grouping, table: pd.DataFrame) -> bool:
    """Whether each group has one target only."""
    if "target" not in table:
        return False
    targets = table["target"].fillna("").astype(str).groupby(grouping.names).nunique()
    return bool((targets == 1).all())


def _alike(one: Grouping, other: Grouping) -> bool:
    first, second = (pd.factorize(grouping.names, use_na_sentinel=False)[0] for grouping in (one, other))
    return float(adjusted_rand_score(first, second)) > ALIKE
