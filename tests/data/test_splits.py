import numpy as np
import pandas as pd
import pytest

from medvision.config.settings import SplitSettings
from medvision.data.splits import UNUSED, Split, make_split, subset_order
from medvision.errors import DataError


def image_table(patients: int = 60, classes: int = 3, seed: int = 0) -> pd.DataFrame:
    """Patients with one to four images; the class belongs to the patient, with a rare last class."""
    generator = np.random.default_rng(seed)
    rows = []
    for patient in range(patients):
        label = f"c{min(int(generator.integers(classes + 1)), classes - 1)}"
        rows += [(f"{patient}_{k}.png", label, f"p{patient}") for k in range(generator.integers(1, 5))]
    return pd.DataFrame(rows, columns=["image", "label", "patient"])


def groups_by_split(split: Split) -> dict[str, set[str]]:
    return {name: set(split.table["group"][split.rows(name)]) for name in ("train", "val", "test")}


@pytest.mark.parametrize("seed", range(8))
def test_holdout_keeps_patients_apart_and_proportions_together(seed):
    table = image_table(seed=seed)
    split = make_split(table, SplitSettings(val=0.2, test=0.2), seed)
    groups = groups_by_split(split)
    assert not groups["train"] & groups["val"]
    assert not groups["train"] & groups["test"]
    assert not groups["val"] & groups["test"]
    assert sum(len(split.rows(name)) for name in groups) == len(table)
    whole = table["label"].value_counts(normalize=True)
    for name in groups:
        assert 0.1 < len(split.rows(name)) / len(table) < 0.75
        part = table["label"].iloc[split.rows(name)].value_counts(normalize=True)
        assert (part - whole).abs().max() < 0.15


@pytest.mark.parametrize("fraction", [0.1, 0.15, 0.2, 0.3, 0.4])
def test_holdout_fraction_is_met(fraction):
    table = image_table(patients=400)
    split = make_split(table, SplitSettings(val=0.1, test=fraction), seed=1)
    assert len(split.rows("test")) / len(table) == pytest.approx(fraction, abs=0.03)


def test_folds_test_every_image_once_and_agree_between_runs():
    table = image_table()
    tested = []
    for fold in range(5):
        split = make_split(table, SplitSettings(fold=fold), seed=3)
        assert set(split.table["fold"][split.rows("test")]) == {fold}
        tested += list(split.rows("test"))
    assert sorted(tested) == list(range(len(table)))
    holdout = make_split(table, SplitSettings(), seed=3)
    assert (holdout.table["fold"] == split.table["fold"]).all()


def test_same_seed_same_split_other_seed_other_split():
    table = image_table()
    first, again, other = (make_split(table, SplitSettings(), seed).table["split"] for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()


def test_a_patient_in_two_splits_cannot_be_built():
    table = pd.DataFrame({"image": list("abcd"), "group": list("ppqr"), "split": ["train", "test", "val", "test"]})
    with pytest.raises(DataError, match="1 groups stand in more than one split: p"):
        Split(table.assign(fold=-1))


def test_an_official_split_that_tears_a_patient_is_refused():
    table = image_table().assign(split="train")
    table.loc[table.index[-1], "split"] = "test"
    table.loc[table.index[-1], "patient"] = "p0"
    with pytest.raises(DataError, match="p0"):
        make_split(table, SplitSettings(), seed=0)


def test_an_official_split_is_kept_and_completed():
    table = image_table(patients=80)
    official = np.where(table["patient"].isin([f"p{k}" for k in range(0, 80, 5)]), "test", "train")
    split = make_split(table.assign(split=official), SplitSettings(), seed=0)
    assert (split.table["split"][official == "test"] == "test").all()
    assert len(split.rows("val")) > 0
    anew = make_split(table.assign(split=official), SplitSettings(official=False), seed=0)
    assert (anew.table["split"][official == "test"] != "test").any()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"fold": 5}, "split.fold: 5 is out of range"),
        ({"val": 0.5, "test": 0.5}, "leave nothing to train on"),
        ({"test": 0.0}, "split.test: 0 leaves no images"),
        ({"stratify": "age"}, "no column 'age'"),
        ({"train_images": 10_000}, "10000 wanted"),
        ({"train_patients": 1000}, "1000 wanted"),
    ],
)
def test_impossible_wishes_are_refused(settings, words):
    with pytest.raises(DataError, match=words):
        make_split(image_table(), SplitSettings(**settings), seed=0)


def test_a_class_with_too_few_patients_is_named():
    table = image_table()
    rare = pd.DataFrame({"image": ["x.png", "y.png"], "label": "rare", "patient": ["x", "y"]})
    with pytest.raises(DataError, match="rare has 2, needed are 3"):
        make_split(pd.concat([table, rare], ignore_index=True), SplitSettings(), seed=0)


def test_subsets_are_nested_and_leave_validation_and_test_alone():
    table = image_table(patients=200)
    whole = make_split(table, SplitSettings(), seed=4)
    before: set[int] = set()
    for count in (20, 60, 150):
        split = make_split(table, SplitSettings(train_images=count), seed=4)
        rows = set(split.rows("train"))
        assert len(rows) == count
        assert before < rows
        assert list(split.rows("test")) == list(whole.rows("test"))
        assert list(split.rows("val")) == list(whole.rows("val"))
        assert (split.table["split"] == UNUSED).sum() == len(whole.rows("train")) - count
        before = rows
    few = make_split(table, SplitSettings(train_patients=12), seed=4)
    assert few.table["group"][few.rows("train")].nunique() == 12


def test_subset_order_begins_with_every_class():
    groups = np.array([f"g{k}" for k in range(100)])
    strata = np.array(["rare"] * 10 + ["common"] * 90)
    order = subset_order(groups, strata, seed=0)
    rare = {f"g{k}" for k in range(10)}
    assert sorted(order) == sorted(groups)
    for size in (20, 50):
        assert abs(len(rare & set(order[:size])) - size / 10) <= 1


def test_multilabel_combinations_that_are_rare_are_split_together():
    table = image_table(patients=100)
    table["label"] = table["label"].where(table.index % 17 != 0, "c0|c1|c2")
    split = make_split(table, SplitSettings(), seed=0, multilabel=True)
    assert {"train", "val", "test"} == set(split.table["split"])


def few_positive(rare: int = 2, common: int = 13) -> pd.DataFrame:
    """One image a patient, almost all of one class, at three sites."""
    labels = ["rare"] * rare + ["common"] * common
    rows = [(f"{k}.png", label, f"p{k:02d}", f"site{k % 3}") for k, label in enumerate(labels)]
    return pd.DataFrame(rows, columns=["image", "label", "patient", "site"])


@pytest.mark.parametrize("rare", [2, 3, 5])
def test_leave_one_out_trains_on_every_class(rare):
    table = few_positive(rare)
    tested = []
    for fold in range(len(table)):
        split = make_split(table, SplitSettings(folds="leave_one_out", fold=fold), seed=fold)
        tested += list(split.table["image"][split.rows("test")])
        assert set(table["label"][split.rows("train")]) == {"rare", "common"}
        assert 1 <= len(split.rows("val")) <= 4
    assert sorted(tested) == sorted(table["image"])


def test_a_site_is_tested_by_the_others():
    table = few_positive(6)
    for fold in range(3):
        split = make_split(table, SplitSettings(fold_by="site", fold=fold), seed=0)
        assert set(table["site"][split.rows("test")]) == {f"site{fold}"}
        assert set(table["label"][split.rows("train")]) == {"rare", "common"}
    alone = table.assign(site=["here" if label == "rare" else "there" for label in table["label"]])
    with pytest.raises(DataError, match="the train split has no image of rare; all of them are in fold 0 of 'site'"):
        make_split(alone, SplitSettings(fold_by="site", fold=0), seed=0)


def test_a_class_of_one_group_cannot_be_left_out():
    with pytest.raises(DataError, match="rare has 1, needed are 2 a class; leave that class out$"):
        make_split(few_positive(1), SplitSettings(folds="leave_one_out", fold=3), seed=0)


@pytest.mark.parametrize("settings", [{}, {"folds": "leave_one_out"}, {"fold_by": "site"}])
def test_inner_folds_test_everything_but_the_test_fold_once(settings):
    table = few_positive(8, 22)
    outer = make_split(table, SplitSettings(**settings, fold=2), seed=0)
    tested = []
    for inner in range(3):
        split = make_split(table, SplitSettings(**settings, fold=2, inner_fold=inner), seed=0)
        assert list(split.rows(UNUSED)) == list(outer.rows("test"))
        assert set(split.table["fold"][split.rows("test")]) == {inner}
        assert set(table["label"][split.rows("train")]) == {"rare", "common"}
        tested += list(split.rows("test"))
    assert sorted(tested + list(outer.rows("test"))) == list(range(len(table)))


def test_the_seed_of_the_split_leaves_the_subset_of_training_images_to_the_other():
    table = image_table(patients=100)
    settings = SplitSettings(seed=1, train_images=30)
    first, other, moved = (
        make_split(table, settings, seed=5),
        make_split(table, settings, seed=6),
        make_split(table, settings.model_copy(update={"seed": 2}), seed=5),
    )
    for name in ("val", "test"):
        assert list(first.rows(name)) == list(other.rows(name))
    assert list(first.rows("train")) != list(other.rows("train"))
    assert list(first.rows("test")) != list(moved.rows("test"))
    assert list(first.rows("test")) == list(make_split(table, SplitSettings(), seed=1).rows("test"))
