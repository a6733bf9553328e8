import numpy as np
import pandas as pd
import pytest

from medvision.data.stratification import assign_parts, deal_parts, groups_by_class, hold_out, hold_out_by_class


def draw(rare: int, common: int, images: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Groups of some images each, all of one class."""
    groups = np.repeat([f"g{k:02d}" for k in range(rare + common)], images)
    strata = np.repeat(["rare"] * rare + ["common"] * common, images)
    return groups, strata


def classes_by_part(number: np.ndarray, groups: np.ndarray, strata: np.ndarray) -> pd.DataFrame:
    pairs = pd.DataFrame({"part": number, "group": groups, "stratum": strata}).drop_duplicates()
    assert pairs["group"].is_unique
    return pd.crosstab(pairs["part"], pairs["stratum"])


def test_parts_share_every_class_evenly():
    groups, strata = draw(10, 40)
    counts = classes_by_part(assign_parts(groups, strata, 5, seed=0), groups, strata)
    assert (counts == pd.DataFrame({"common": [8] * 5, "rare": [2] * 5})).all(axis=None)


@pytest.mark.parametrize("seed", range(10))
def test_dealt_parts_never_hold_all_of_a_rare_class(seed):
    groups, strata = draw(2, 12)
    number = deal_parts(groups, strata, 3, seed)
    counts = classes_by_part(number, groups, strata)
    assert counts["rare"].max() == 1
    assert sorted(counts.sum(axis=1)) == [4, 5, 5]
    assert (number == deal_parts(groups, strata, 3, seed)).all()


def test_another_seed_deals_other_parts():
    groups, strata = draw(2, 12)
    assert (deal_parts(groups, strata, 3, 0) != deal_parts(groups, strata, 3, 1)).any()


@pytest.mark.parametrize("fraction", [0.1, 0.2, 0.5])
def test_held_out_groups_are_that_share_of_every_class(fraction):
    groups, strata = draw(20, 60)
    chosen = hold_out(groups, strata, fraction, seed=0)
    for name in ("rare", "common"):
        assert chosen[strata == name].mean() == pytest.approx(fraction, abs=0.05)


@pytest.mark.parametrize(
    ("rare", "common", "held"),
    [
        (1, 12, {"common": 2}),  # 12 * 0.15 = 1.8
        (2, 12, {"common": 2}),
        (3, 12, {"rare": 1, "common": 2}),
        (10, 40, {"rare": 2, "common": 6}),  # 1.5 is rounded up
        (1, 2, {"common": 1}),
        (2, 2, {"common": 1}),  # of equals the first by name
    ],
)
def test_a_class_of_one_or_two_groups_stays_in_training(rare, common, held):
    groups, strata = draw(rare, common)
    chosen = hold_out_by_class(groups, strata, 0.15, seed=0)
    pairs = pd.DataFrame({"group": groups, "stratum": strata})[chosen].drop_duplicates()
    assert pairs["stratum"].value_counts().to_dict() == held
    # Whole groups.
    assert not set(groups[chosen]) & set(groups[~chosen])


def test_a_group_counts_for_its_rarest_class():
    groups = np.array(list("aabbcc"))
    strata = np.array(["normal", "torn", "normal", "normal", "normal", "normal"])
    assert [list(members) for members in groups_by_class(groups, strata)] == [["a"], ["b", "c"]]
