"""Who is in which split. The type cannot be built with a patient in two splits, whoever made the split."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold

from medvision.config.settings import SplitSettings
from medvision.data.table import MOST_LISTED
from medvision.errors import DataError

SPLITS = ("train", "val", "test")
UNUSED = "unused"
MOST_PARTS = 10
TRIES = 10
EVEN = 0.25


@dataclass(frozen=True)
class Split:
    """An assignment of images to training, validation and test.

    Args:
        table: columns `image`, `group`, `split` (train, val, test, or unused) and `fold`; one row an image of the
            image table, in its order. `fold` is the fold in which the image is tested, -1 where an official split
            has none.

    Raises:
        DataError: a group stands in two splits or in two folds, or a split is empty.
    """

    table: pd.DataFrame

    def __post_init__(self) -> None:
        used = self.table[self.table["split"] != UNUSED]
        for column in ("split", "fold"):
            torn = used.groupby("group", sort=True)[column].nunique()
            torn = torn[torn > 1]
            if len(torn):
                names = ", ".join(map(str, torn.index[:MOST_LISTED]))
                raise DataError(
                    f"{len(torn)} groups stand in more than one {column}: {names}"
                    f"{' …' if len(torn) > MOST_LISTED else ''}; every image of one patient belongs in one {column}"
                )
        empty = [name for name in SPLITS if not (self.table["split"] == name).any()]
        if empty:
            raise DataError(f"the split leaves no images for {' and '.join(empty)}")

    def rows(self, name: str) -> np.ndarray:
        """Positions of the images of a split, int64 (n,), ascending."""
        return np.flatnonzero((self.table["split"] == name).to_numpy())


def make_split(table: pd.DataFrame, settings: SplitSettings, seed: int, *, multilabel: bool = False) -> Split:
    """Split an image table by group, keeping the proportions of the classes.

    With `settings.fold` that fold is the test set. Otherwise an official split is used where the table has one and
    `settings.official` is true; a val or test set that it lacks is drawn from its training groups. Otherwise the
    holdout fractions decide.

    Args:
        table: the image table.
        settings: the `split` section of the experiment.
        seed: the same seed gives the same split.
        multilabel: labels are combinations of classes; rare combinations are stratified together.

    Raises:
        DataError: a fold out of range, a class with too few groups, a group in two official splits, ...
    """
    groups = (table["image"] if settings.group == "image" else table[settings.group]).astype(str).to_numpy()
    strata = _strata(table, groups, settings, multilabel)
    official = settings.official and settings.fold is None and "split" in table
    if official:
        fold = np.full(len(table), -1)
        split = _complete_official(table, groups, strata, settings, seed)
    else:
        _require_groups_per_class(groups, strata, settings)
        fold = _folds(groups, strata, settings, seed)
        drawn = _holdout if settings.fold is None else partial(_from_fold, fold)
        split = drawn(groups, strata, settings, seed)
    split = _keep_subset(split, groups, strata, settings, seed)
    # The absence of a class from somebody else's validation or test set is reported with the metrics.
    _require_classes(split, strata, ("train",) if official else SPLITS)
    return Split(pd.DataFrame({"image": table["image"], "group": groups, "split": split, "fold": fold}))


def _strata(table: pd.DataFrame, groups: np.ndarray, settings: SplitSettings, multilabel: bool) -> np.ndarray:
    if settings.stratify is None:
        return np.zeros(len(table), dtype=np.int64)
    if settings.stratify not in table:
        raise DataError(f"split.stratify: the image table has no column '{settings.stratify}'")
    strata = table[settings.stratify].astype(str).to_numpy()
    if multilabel and settings.stratify == "label":
        members = pd.DataFrame({"group": groups, "stratum": strata}).drop_duplicates()["stratum"].value_counts()
        strata = np.where(members.reindex(strata).to_numpy() >= MOST_PARTS, strata, "(rare)")
    return strata


def _require_groups_per_class(groups: np.ndarray, strata: np.ndarray, settings: SplitSettings) -> None:
    """Every class needs a group for the test, one for validation and one for training, or one for each fold."""
    needed = 3 if settings.fold is None else max(settings.folds, 3)
    pairs = pd.DataFrame({"group": groups, "stratum": strata}).drop_duplicates()
    counts = pairs["stratum"].value_counts()
    few = counts[counts < needed]
    if len(few):
        found = ", ".join(f"{name} has {count}" for name, count in few.items())
        raise DataError(
            f"too few different values of '{settings.group}' for this split: {found}, needed are {needed} a class; "
            "leave that class out, or choose fewer split.folds"
        )


def _assign_parts(groups: np.ndarray, strata: np.ndarray, parts: int, seed: int) -> np.ndarray:
    """Part numbers 0 .. parts-1 by group, stratified; the first of several draws that is even, or the most even one."""
    parts = min(parts, len(np.unique(groups)))
    # A class smaller than the number of parts cannot be stratified: the splitter would warn and go on without.
    labels = strata if pd.Series(strata).value_counts().min() >= parts else np.zeros(len(groups), dtype=np.int64)
    best, least = np.zeros(len(groups), dtype=np.int64), np.inf
    for attempt in range(TRIES):
        number = np.empty(len(groups), dtype=np.int64)
        splitter = StratifiedGroupKFold(parts, shuffle=True, random_state=(seed + 7919 * attempt) % 2**32)
        for part, (_, held_out) in enumerate(splitter.split(groups, labels, groups)):
            number[held_out] = part
        unevenness = _unevenness(number, groups, strata, parts)
        if unevenness.max() < least:
            # The most even parts come first: they are the ones that are held out.
            rank = np.argsort(np.argsort(unevenness, kind="stable"), kind="stable")
            best, least = rank[number], unevenness.max()
        if least <= EVEN:
            break
    return best


def _unevenness(number: np.ndarray, groups: np.ndarray, strata: np.ndarray, parts: int) -> np.ndarray:
    """How far each part is from its share of every class, in images and in groups: 0 even, 1 a class is absent."""
    table = pd.DataFrame({"part": number, "group": groups, "stratum": strata})
    worst = np.zeros(parts)
    for rows in (table, table.drop_duplicates()):
        counts = pd.crosstab(rows["part"], rows["stratum"]).reindex(range(parts), fill_value=0)
        share = counts / counts.sum() * parts
        worst = np.maximum(worst, (share - 1).abs().clip(upper=1).max(axis=1).to_numpy())
    return worst


def _folds(groups: np.ndarray, strata: np.ndarray, settings: SplitSettings, seed: int) -> np.ndarray:
    different = len(np.unique(groups))
    if settings.fold is None and different < settings.folds:
        return np.full(len(groups), -1)
    if settings.fold is not None and settings.fold >= settings.folds:
        raise DataError(f"split.fold: {settings.fold} is out of range, {settings.folds} folds are numbered from 0")
    return _assign_parts(groups, strata, settings.folds, seed)


def _held_out(groups: np.ndarray, strata: np.ndarray, fraction: float, seed: int) -> np.ndarray:
    """A stratified choice of about `fraction` of the images, whole groups; bool (n,)."""
    pairs = pd.DataFrame({"group": groups, "stratum": strata}).drop_duplicates()
    # No more parts than groups of the rarest class: every part is to have its share of it.
    limit = max(2, min(MOST_PARTS, pairs["stratum"].value_counts().min()))
    options = [(abs(k / parts - fraction), parts, k) for parts in range(2, limit + 1) for k in range(1, parts)]
    # The fewest parts that come within one percent of the fraction: fewer parts are easier to stratify.
    near = [option for option in options if option[0] <= 0.01] or [min(options)]
    _, parts, taken = min(near, key=lambda option: option[1])
    return _assign_parts(groups, strata, parts, seed) < taken


def _from_fold(
    fold: np.ndarray, groups: np.ndarray, strata: np.ndarray, settings: SplitSettings, seed: int
) -> np.ndarray:
    split = np.where(fold == settings.fold, "test", "train").astype(object)
    return _draw("val", settings.val, split, groups, strata, seed)


def _holdout(groups: np.ndarray, strata: np.ndarray, settings: SplitSettings, seed: int) -> np.ndarray:
    if settings.val + settings.test >= 1:
        raise DataError(f"split.val + split.test: {settings.val} + {settings.test} leave nothing to train on")
    split = np.full(len(groups), "train", dtype=object)
    split = _draw("test", settings.test, split, groups, strata, seed)
    return _draw("val", settings.val / (1 - settings.test), split, groups, strata, seed + 1)


def _draw(
    name: str, fraction: float, split: np.ndarray, groups: np.ndarray, strata: np.ndarray, seed: int
) -> np.ndarray:
    """The same split with about `fraction` of its training images moved to `name`."""
    if fraction <= 0:
        raise DataError(f"split.{name}: 0 leaves no images for {name}; give a fraction between 0 and 1")
    rows = np.flatnonzero(split == "train")
    if len(np.unique(groups[rows])) < 2:
        raise DataError(f"split.{name}: fewer than two groups are left to draw the {name} set from")
    chosen = rows[_held_out(groups[rows], strata[rows], fraction, seed)]
    split = split.copy()
    split[chosen] = name
    return split


def _complete_official(
    table: pd.DataFrame, groups: np.ndarray, strata: np.ndarray, settings: SplitSettings, seed: int
) -> np.ndarray:
    split = table["split"].astype(object).to_numpy().copy()
    strange = sorted({str(value) for value in split if value not in SPLITS})
    if strange:
        raise DataError(f"column 'split' holds {', '.join(map(repr, strange))}; expected train, val or test")
    if not (split == "train").any():
        raise DataError("the official split has no training images; write `split: {official: false}` to split anew")
    Split(pd.DataFrame({"group": groups, "split": split, "fold": -1}).pipe(_with_all_splits))
    for name, fraction in (("test", settings.test), ("val", settings.val)):
        if not (split == name).any():
            split = _draw(name, fraction, split, groups, strata, seed)
    return split


def _with_all_splits(table: pd.DataFrame) -> pd.DataFrame:
    """The table with a row of a group of its own in every split, so that only torn groups are refused."""
    extra = pd.DataFrame({"group": [f"\0{name}" for name in SPLITS], "split": SPLITS, "fold": -1})
    return pd.concat([table, extra], ignore_index=True)


def _keep_subset(
    split: np.ndarray, groups: np.ndarray, strata: np.ndarray, settings: SplitSettings, seed: int
) -> np.ndarray:
    """Training images beyond `train_images` or `train_patients` become unused; smaller subsets lie in larger ones."""
    if settings.train_images is None and settings.train_patients is None:
        return split
    rows = np.flatnonzero(split == "train")
    order = subset_order(groups[rows], strata[rows], seed)
    position = {group: number for number, group in enumerate(order)}
    rank = np.array([position[group] for group in groups[rows]])
    keep = np.ones(len(rows), dtype=bool)
    if settings.train_patients is not None:
        _require_enough("train_patients", settings.train_patients, len(order))
        keep &= rank < settings.train_patients
    if settings.train_images is not None:
        _require_enough("train_images", settings.train_images, int(keep.sum()))
        place = np.empty(len(rows), dtype=np.int64)
        place[np.argsort(rank, kind="stable")] = np.arange(len(rows))
        keep &= place < settings.train_images
    split = split.copy()
    split[rows[~keep]] = UNUSED
    return split


def subset_order(groups: np.ndarray, strata: np.ndarray, seed: int) -> list[str]:
    """All groups in a random order of which every beginning holds the classes in about their proportions."""
    first = pd.DataFrame({"group": groups, "stratum": strata})
    by_group = first.groupby("group", sort=True)["stratum"].agg(lambda values: values.value_counts().index[0])
    generator = np.random.default_rng([seed, 0x5B5E7])
    keys: list[tuple[float, str]] = []
    for _, members in by_group.groupby(by_group, sort=True):
        shuffled = generator.permutation(members.index.to_numpy())
        offset = generator.random()
        keys += [((number + offset) / len(shuffled), group) for number, group in enumerate(shuffled)]
    return [group for _, group in sorted(keys)]


def _require_enough(setting: str, wanted: int, found: int) -> None:
    if wanted > found:
        raise DataError(f"split.{setting}: {wanted} wanted, but the training split has {found}")


def _require_classes(split: np.ndarray, strata: np.ndarray, names: Sequence[str]) -> None:
    everything = set(map(str, strata))
    problems = []
    for name in names:
        absent = sorted(everything - set(map(str, strata[split == name])))
        if absent:
            problems.append(
                f"the {name} split has no image of {', '.join(absent)}; use other fractions or another seed"
            )
    if problems:
        raise DataError(*problems)
