"""Groups are dealt into parts, or some of them held out, so that every part shows the classes in their proportions."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold

Names = npt.NDArray[np.object_] | npt.NDArray[np.str_]
Integers = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

MOST_PARTS = 10
TRIES = 10
EVEN = 0.25
# A class with fewer groups than this is not asked for one of them: training needs both.
FEWEST_TO_SHARE = 3


def assign_parts(groups: Names, strata: Names | Integers, parts: int, seed: int) -> Integers:
    """Part numbers 0 .. parts-1 by group, stratified; the first of several draws that is even, or the most even one.

    Args:
        groups: (n,) the group of each image.
        strata: (n,) the class of each image.
        parts: how many; no more than there are groups.
        seed: the same seed gives the same parts.

    Returns:
        (n,) int64.
    """
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


def _unevenness(number: Integers, groups: Names, strata: Names | Integers, parts: int) -> npt.NDArray[np.float64]:
    """How far each part is from its share of every class, in images and in groups: 0 even, 1 a class is absent."""
    table = pd.DataFrame({"part": number, "group": groups, "stratum": strata})
    worst = np.zeros(parts)
    for rows in (table, table.drop_duplicates()):
        counts = pd.crosstab(rows["part"], rows["stratum"]).reindex(range(parts), fill_value=0)
        share = counts / counts.sum() * parts
        worst = np.maximum(worst, (share - 1).abs().clip(upper=1).max(axis=1).to_numpy())
    return worst


def deal_parts(groups: Names, strata: Names | Integers, parts: int, seed: int) -> Integers:
    """Part numbers 0 .. parts-1 by group, dealt class by class like cards, the rarest class first.

    For classes of fewer groups than there are parts: two groups of a class are never in the same part as long as
    another part has none.

    Args:
        groups: (n,) the group of each image.
        strata: (n,) the class of each image; a group counts for the rarest class that it shows.
        parts: how many.
        seed: the same seed gives the same parts.

    Returns:
        (n,) int64.
    """
    generator = np.random.default_rng([seed, 0xDEA1])
    dealt = [group for members in groups_by_class(groups, strata) for group in generator.permutation(members)]
    part = {group: number % parts for number, group in enumerate(dealt)}
    return np.array([part[group] for group in groups], dtype=np.int64)


def hold_out(groups: Names, strata: Names | Integers, fraction: float, seed: int) -> Bools:
    """A stratified choice of about `fraction` of the images, whole groups; at least one of each class.

    Args:
        groups: (n,) the group of each image.
        strata: (n,) the class of each image.
        fraction: between 0 and 1.
        seed: the same seed gives the same choice.

    Returns:
        (n,) bool.
    """
    pairs = pd.DataFrame({"group": groups, "stratum": strata}).drop_duplicates()
    # No more parts than groups of the rarest class: every part is to have its share of it.
    limit = max(2, min(MOST_PARTS, pairs["stratum"].value_counts().min()))
    options = [(abs(k / parts - fraction), parts, k) for parts in range(2, limit + 1) for k in range(1, parts)]
    # The fewest parts that come within one percent of the fraction: fewer parts are easier to stratify.
    near = [option for option in options if option[0] <= 0.01] or [min(options)]
    _, parts, taken = min(near, key=lambda option: option[1])
    return assign_parts(groups, strata, parts, seed) < taken


def hold_out_by_class(groups: Names, strata: Names | Integers, fraction: float, seed: int) -> Bools:
    """About `fraction` of the groups of each class, for sets in which a class may have very few of them.

    A class of three groups or more gives at least one and keeps at least one; a class of one or two gives none. Where
    every class is that small, the largest gives one.

    Args:
        groups: (n,) the group of each image.
        strata: (n,) the class of each image; a group counts for the rarest class that it shows.
        fraction: between 0 and 1.
        seed: the same seed gives the same choice.

    Returns:
        (n,) bool.
    """
    generator = np.random.default_rng([seed, 0x0D2A])
    shuffled = [generator.permutation(members) for members in groups_by_class(groups, strata)]
    sizes = [min(max(int(len(m) * fraction + 0.5), len(m) >= FEWEST_TO_SHARE), len(m) - 1) for m in shuffled]
    if not any(sizes):
        largest = max(range(len(shuffled)), key=lambda k: len(shuffled[k]))
        sizes[largest] = 1
    chosen = np.concatenate([members[:size] for members, size in zip(shuffled, sizes, strict=True)])
    return np.isin(groups, chosen)


def groups_by_class(groups: Names, strata: Names | Integers) -> Iterator[Names]:
    """The sorted groups of each class, the class of the fewest groups first; each group once, with its rarest class."""
    pairs = pd.DataFrame({"group": groups, "stratum": strata}).drop_duplicates()
    counts = pairs["stratum"].value_counts()
    pairs = pairs.assign(count=counts.reindex(pairs["stratum"]).to_numpy()).sort_values(["count", "stratum", "group"])
    for _, members in pairs.drop_duplicates("group").groupby(["count", "stratum"], sort=True):
        yield members["group"].sort_values().to_numpy()
