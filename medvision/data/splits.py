"""Who is in which split. The type cannot be built with a patient in two splits, whoever made the split."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from medvision.config.settings import SplitSettings
from medvision.data.folds import LEAVE_ONE_OUT, are_given, assign_folds, assign_inner_folds, group_names
from medvision.data.stratification import MOST_PARTS, Bools, Integers, Names, hold_out, hold_out_by_class
from medvision.data.table import MOST_LISTED
from medvision.errors import DataError

SPLITS = ("train", "val", "test")
UNUSED = "unused"

HoldOut = Callable[[Names, Names | Integers, float, int], Bools]


@dataclass(frozen=True)
class Split:
    """An assignment of images to training, validation and test.

    Args:
        table: columns `image`, `group`, `split` (train, val, test, or unused) and `fold`; one row an image of the
            image table, in its order. `fold` is the fold in which the image is tested, -1 where an official split
            has none; of an inner split it is the inner fold, -1 for the images of the test fold.

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

    With `settings.fold` that fold is the test set, with `settings.inner_fold` that inner fold of the rest. Otherwise an
    official split is used where the table has one and `settings.official` is true; a val or test set that it lacks is
    drawn from its training groups. Otherwise the holdout fractions decide.

    Every split shows every class, save where the data say what the folds are (`leave_one_out`, `fold_by`), in an inner
    split and in an official one: there only the training images must.

    Args:
        table: the image table.
        settings: the `split` section of the experiment; its `seed`, where it has one, draws the split.
        seed: of the experiment; the same seed gives the same split, and the same subset of the training images.
        multilabel: labels are combinations of classes; rare combinations are stratified together.

    Raises:
        DataError: a fold out of range, a class with too few groups, a group in two official splits, ...
    """
    groups = group_names(table, settings)
    strata = _strata(table, groups, settings, multilabel)
    drawn_by = seed if settings.seed is None else settings.seed
    official = settings.official and settings.fold is None and "split" in table
    if official:
        fold = np.full(len(table), -1)
        split = _complete_official(table, groups, strata, settings, drawn_by)
    else:
        _require_groups_per_class(groups, strata, settings)
        fold = assign_folds(table, groups, strata, settings, drawn_by)
        split, fold = _from_fractions_or_fold(fold, groups, strata, settings, drawn_by)
    split = _keep_subset(split, groups, strata, settings, seed)
    # The absence of a class from somebody else's validation or test set is reported with the metrics.
    _require_classes(split, strata, settings, ("train",) if official or _is_loose(settings) else SPLITS)
    return Split(pd.DataFrame({"image": table["image"], "group": groups, "split": split, "fold": fold}))


def _is_loose(settings: SplitSettings) -> bool:
    """Whether a test set may lack a class: it is one group, one site, or part of what is left for training."""
    return settings.fold is not None and (are_given(settings) or settings.inner_fold is not None)


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


def _require_groups_per_class(groups: Names, strata: Names | Integers, settings: SplitSettings) -> None:
    """Every class needs a group for the test, one for validation and one for training, or one for each fold."""
    if settings.fold is None:
        needed = 3
    elif are_given(settings):
        # While the one is tested, the other is trained on.
        needed = 2
    else:
        needed = max(int(settings.folds), 3)
    pairs = pd.DataFrame({"group": groups, "stratum": strata}).drop_duplicates()
    counts = pairs["stratum"].value_counts()
    few = counts[counts < needed]
    if len(few):
        found = ", ".join(f"{name} has {count}" for name, count in few.items())
        fewer = "" if are_given(settings) else ", or choose fewer split.folds"
        raise DataError(
            f"too few different values of '{settings.group}' for this split: {found}, needed are {needed} a class; "
            f"leave that class out{fewer}"
        )


def _from_fractions_or_fold(
    fold: Integers, groups: Names, strata: Names | Integers, settings: SplitSettings, seed: int
) -> tuple[np.ndarray, Integers]:
    """The split, and the folds that it belongs to."""
    if settings.fold is None:
        return _holdout(groups, strata, settings, seed), fold
    if settings.inner_fold is None:
        split = np.where(fold == settings.fold, "test", "train").astype(object)
    else:
        inner = assign_inner_folds(fold, groups, strata, settings, seed)
        split = np.where(inner == settings.inner_fold, "test", "train").astype(object)
        split[fold == settings.fold] = UNUSED
        fold = inner
    choose = hold_out_by_class if _is_loose(settings) else hold_out
    return _draw("val", settings.val, split, groups, strata, seed, choose), fold


def _holdout(groups: Names, strata: Names | Integers, settings: SplitSettings, seed: int) -> np.ndarray:
    if settings.val + settings.test >= 1:
        raise DataError(f"split.val + split.test: {settings.val} + {settings.test} leave nothing to train on")
    split = np.full(len(groups), "train", dtype=object)
    split = _draw("test", settings.test, split, groups, strata, seed)
    return _draw("val", settings.val / (1 - settings.test), split, groups, strata, seed + 1)


def _draw(
    name: str,
    fraction: float,
    split: np.ndarray,
    groups: Names,
    strata: Names | Integers,
    seed: int,
    choose: HoldOut = hold_out,
) -> np.ndarray:
    """The same split with about `fraction` of its training images moved to `name`."""
    if fraction <= 0:
        raise DataError(f"split.{name}: 0 leaves no images for {name}; give a fraction between 0 and 1")
    rows = np.flatnonzero(split == "train")
    if len(np.unique(groups[rows])) < 2:
        raise DataError(f"split.{name}: fewer than two groups are left to draw the {name} set from")
    chosen = rows[choose(groups[rows], strata[rows], fraction, seed)]
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


def _require_classes(
    split: np.ndarray, strata: Names | Integers, settings: SplitSettings, names: Sequence[str]
) -> None:
    everything = set(map(str, strata))
    problems = []
    for name in names:
        absent = sorted(everything - set(map(str, strata[split == name])))
        if absent:
            problems.append(f"the {name} split has no image of {', '.join(absent)}; {_advice(settings)}")
    if problems:
        raise DataError(*problems)


def _advice(settings: SplitSettings) -> str:
    if settings.fold_by is not None and settings.fold is not None:
        return f"all of them are in fold {settings.fold} of '{settings.fold_by}'; leave that class out"
    if settings.fold is not None and (settings.folds == LEAVE_ONE_OUT or settings.inner_fold is not None):
        return "too few are left without the test fold; leave that class out, or use fewer inner folds"
    return "use other fractions or another seed"
