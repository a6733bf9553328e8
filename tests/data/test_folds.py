import numpy as np
import pandas as pd
import pytest

from medvision.config.settings import SplitSettings
from medvision.data.folds import LEAVE_ONE_OUT, are_given, assign_folds, assign_inner_folds, fold_count, group_names
from medvision.errors import DataError

# Nine patients at three sites, a class each in turn.
TABLE = pd.DataFrame(
    [(f"{p}_{n}.png", f"p{p}", f"c{p % 2}", f"site{p % 3}") for p in range(9) for n in range(2)],
    columns=["image", "patient", "label", "site"],
)
STRATA = TABLE["label"].to_numpy()


def folds(table: pd.DataFrame = TABLE, seed: int = 0, **settings: object) -> np.ndarray:
    split = SplitSettings.model_validate(settings)
    return assign_folds(table, group_names(table, split), table["label"].to_numpy(), split, seed)


@pytest.mark.parametrize(
    ("settings", "count"),
    [
        ({}, 5),
        ({"folds": 3}, 3),
        ({"folds": LEAVE_ONE_OUT}, 9),
        ({"folds": LEAVE_ONE_OUT, "group": "image"}, 18),
        ({"fold_by": "site"}, 3),
    ],
)
def test_folds_are_counted(settings, count):
    split = SplitSettings(**settings)
    assert fold_count(TABLE, split) == count
    number = folds(**settings, fold=0)
    assert set(number) == set(range(count))
    groups = group_names(TABLE, split)
    assert pd.Series(number).groupby(groups).nunique().max() == 1


def test_leave_one_out_has_a_group_a_fold_in_the_order_of_the_names():
    assert list(folds(folds=LEAVE_ONE_OUT)) == [k for k in range(9) for _ in range(2)]
    assert list(folds(folds=LEAVE_ONE_OUT, seed=7)) == list(folds(folds=LEAVE_ONE_OUT))


def test_the_values_of_a_column_are_folds():
    assert list(folds(fold_by="site")) == [p % 3 for p in range(9) for _ in range(2)]


def test_only_drawn_folds_follow_a_seed():
    assert not are_given(SplitSettings())
    assert are_given(SplitSettings(folds=LEAVE_ONE_OUT))
    assert are_given(SplitSettings(fold_by="site"))
    assert (folds(folds=3, seed=0) != folds(folds=3, seed=1)).any()


def test_fewer_groups_than_folds_have_none_unless_one_is_asked_for():
    assert set(folds(folds=10)) == {-1}


def torn() -> pd.DataFrame:
    return TABLE.assign(site=TABLE["site"].where(TABLE.index != 1, "site2"))


@pytest.mark.parametrize(
    ("table", "settings", "words"),
    [
        (TABLE, {"fold_by": "clinic"}, "no column 'clinic'; it has image, patient, label, site"),
        (TABLE.assign(site=TABLE["site"].where(TABLE.index > 2)), {"fold_by": "site"}, "3 images have no site"),
        (torn(), {"fold_by": "site"}, r"1 values of 'patient' have more than one site: p0 \(site0, site2\)"),
        (TABLE.assign(site="one"), {"fold_by": "site"}, "all images have the same site"),
        (TABLE, {"fold_by": "site", "fold": 3}, "3 is out of range, 3 folds are numbered from 0"),
        (TABLE, {"folds": LEAVE_ONE_OUT, "fold": 9}, "9 is out of range, 9 folds"),
    ],
)
def test_folds_that_cannot_be_are_refused(table, settings, words):
    with pytest.raises(DataError, match=words):
        folds(table, **settings)


@pytest.mark.parametrize("inner_folds", [2, 3])
def test_inner_folds_share_what_the_test_fold_leaves(inner_folds):
    split = SplitSettings(folds=3, fold=1, inner_fold=0, inner_folds=inner_folds)
    groups = group_names(TABLE, split)
    fold = assign_folds(TABLE, groups, STRATA, split, 0)
    inner = assign_inner_folds(fold, groups, STRATA, split, 0)
    assert ((inner == -1) == (fold == 1)).all()
    assert set(inner[fold != 1]) == set(range(inner_folds))
    assert pd.Series(inner).groupby(groups).nunique().max() == 1


def test_inner_folds_of_a_rare_class_are_dealt():
    rare = TABLE.assign(label=["rare" if p in ("p0", "p1", "p2") else "common" for p in TABLE["patient"]])
    split = SplitSettings(folds=LEAVE_ONE_OUT, fold=0, inner_fold=0)
    groups, strata = group_names(rare, split), rare["label"].to_numpy()
    inner = assign_inner_folds(assign_folds(rare, groups, strata, split, 0), groups, strata, split, 0)
    # Two patients of the class are left, for three inner folds.
    left = pd.Series(inner[strata == "rare"]).loc[lambda number: number >= 0]
    assert left.nunique() == 2


def test_more_inner_folds_than_groups_are_refused():
    split = SplitSettings(folds=LEAVE_ONE_OUT, fold=0, inner_fold=0, inner_folds=9)
    groups = group_names(TABLE, split)
    with pytest.raises(DataError, match="without fold 0 only 8 different values of 'patient' are left"):
        assign_inner_folds(np.arange(18) // 2, groups, STRATA, split, 0)
