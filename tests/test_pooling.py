import json

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from medvision.errors import RunError
from medvision.evaluation.folds import FoldDecisions
from medvision.pooling import (
    Fold,
    pool_cases,
    pool_decisions,
    pool_environments,
    pool_predictions,
    pool_splits,
    read_fold,
    write_pooled,
)
from medvision.runs import RunFolder, read_json, read_table, write_json, write_table
from tests.folded import CLASSES, experiment_in, folds_of, images, write_fold

TABLE = images()


@pytest.fixture
def parent(tmp_path) -> RunFolder:
    return RunFolder(tmp_path / "parent")


def folded(parent: RunFolder, repeats: int = 1) -> list[Fold]:
    folds = []
    for repeat in range(repeats):
        fold = folds_of(TABLE, 3, repeat)
        for number in range(3):
            name = f"fold-{number}" if repeats == 1 else f"repeat-{repeat}-fold-{number}"
            write_fold(RunFolder(parent.parts / name), TABLE, fold, number, seconds=2.0 + number)
            folds.append(read_fold(RunFolder(parent.parts / name), number, None if repeats == 1 else repeat))
    return folds


def test_every_image_is_answered_once_by_its_fold(parent):
    pooled = pool_predictions(parent, folded(parent))
    assert sorted(pooled["image"]) == sorted(TABLE["image"])
    fold = pd.Series(folds_of(TABLE, 3), index=TABLE["image"])
    assert (pooled["fold"].to_numpy() == fold[pooled["image"]].to_numpy()).all()
    assert set(pooled["split"]) == {"test"}


def test_repeats_answer_every_image_once_each(parent):
    pooled = pool_predictions(parent, folded(parent, repeats=2))
    assert pooled.groupby("repeat")["image"].nunique().to_dict() == {0: len(TABLE), 1: len(TABLE)}
    assert len(pooled) == 2 * len(TABLE)
    assert list(pooled.columns).index("fold") == list(pooled.columns).index("repeat") + 1


def test_an_image_in_two_folds_is_an_error(parent):
    folds = folded(parent)
    table = read_table(folds[1].run.predictions)
    extra = folds[0].rows.iloc[:1]
    write_table(folds[1].run.predictions, pd.concat([table, extra], ignore_index=True))
    torn = [folds[0], read_fold(folds[1].run, 1, None)]
    with pytest.raises(RunError, match=r"1 images are tested in more than one fold, first .*\(fold-0, fold-1\)"):
        pool_predictions(parent, torn)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda split: split.iloc[:-1], r"other images than fold-0 \(23 and 24\)"),
        (
            lambda split: split.assign(sha256=split["sha256"].str.replace("3_1.png!", "?")),
            "1 images have another content",
        ),
    ],
)
def test_folds_of_other_images_are_refused(parent, change, words):
    folds = folded(parent)
    write_table(folds[2].run.split, change(read_table(folds[2].run.split)))
    with pytest.raises(RunError, match=words):
        pool_predictions(parent, [*folds[:2], read_fold(folds[2].run, 2, None)])


def test_paths_of_masks_lead_from_the_parent(parent):
    folds = folded(parent)
    rows = folds[0].rows.assign(mask=["masks/a.png", *[""] * (len(folds[0].rows) - 1)])
    one = Fold(folds[0].run, 0, None, folds[0].split, rows, folds[0].environment, folds[0].metrics)
    pooled = pool_predictions(parent, [one])
    assert pooled["mask"].tolist()[:2] == ["parts/fold-0/masks/a.png", ""]


def test_the_split_says_where_every_image_is_tested(parent):
    folds = folded(parent)
    assert set(pool_splits(folds)["split"]) == {"test"}
    assert (pool_splits(folds)["fold"].to_numpy() == folds_of(TABLE, 3)).all()
    some = pool_splits([folds[0], folds[2]])
    assert len(some) == len(TABLE)
    assert set(some["fold"][some["split"] == "unused"]) == {1}
    twice = pool_splits(folded(parent, repeats=2))
    assert twice.groupby("repeat").size().to_dict() == {0: len(TABLE), 1: len(TABLE)}


def test_every_fold_keeps_its_decision(parent):
    decisions = pool_decisions(folded(parent, repeats=2))
    assert decisions is not None
    assert list(decisions.by_fold) == [f"repeat-{r}-fold-{k}" for r in range(2) for k in range(3)]
    assert decisions.by_fold["repeat-1-fold-2"].threshold("image", "yes") == pytest.approx(0.6)


def test_time_is_summed_and_memory_is_the_largest(parent):
    folds = folded(parent)
    found = pool_environments(folds, choosing=100.0)
    assert found["training_seconds"] == 100 + 2 + 3 + 4
    # 0.1, 0.2 and 0.3 s an image, of folds of 8 images each.
    assert found["seconds_per_image"] == pytest.approx(0.2)
    assert "train_counts" not in found["data"]
    assert found["data"]["classes"] == CLASSES
    write_json(folds[1].run.environment, {"data": folds[1].environment["data"], "peak_memory_mib": 7})
    unmeasured = pool_environments([folds[0], read_fold(folds[1].run, 1, None)])
    assert "training_seconds" not in unmeasured
    assert "seconds_per_image" not in unmeasured
    assert unmeasured["peak_memory_mib"] == 7


def test_pictures_of_cases_are_those_of_the_folds(parent):
    folds = folded(parent)
    pooled, decisions = pool_predictions(parent, folds), pool_decisions(folds)
    cases = pool_cases(parent, folds, pooled, decisions)
    assert cases
    wrong = set(pooled["image"][pooled["target"] != pooled["predicted"]])
    assert {case["image"] for case in cases if case["kind"] == "mistake"} <= wrong
    answered = dict(zip(pooled["image"], pooled["fold"], strict=True))
    for case in cases:
        number = case["image"].removesuffix(".png")
        assert case["picture"] == f"parts/fold-{answered[case['image']]}/figures/cases/{number}.jpg"
        assert case["map"] is None


def test_all_tables_are_written_from_those_of_the_folds(parent, tmp_path):
    folds = folded(parent)
    chosen = {"settings": {"optimizer.lr": 0.01}, "seconds": 30.0}
    experiment = experiment_in(parent.path)
    write_pooled(parent, folds[:2], experiment, {"fold-1": chosen}, ["fold-2"])
    pooled = read_table(parent.predictions)
    metrics = read_json(parent.metrics)["test"]["image"]
    area = roc_auc_score(pooled["target"] == "yes", pooled["p_yes"])
    assert metrics["auroc"]["value"] == pytest.approx(area)
    assert metrics["accuracy"]["value"] == pytest.approx((pooled["target"] == pooled["predicted"]).mean())
    told = read_json(parent.folds)
    assert told["missing"] == ["fold-2"]
    assert told["chosen"] == {"fold-1": {"optimizer.lr": 0.01}}
    assert told["parts"]["fold-1"]["choosing_seconds"] == 30
    assert told["parts"]["fold-0"] | {"n": 8, "patients": 4, "test": 8} == told["parts"]["fold-0"]
    by_hand = [(one.rows["target"] == one.rows["predicted"]).mean() for one in folds[:2]]
    summary = told["test"]["image"]["accuracy"]
    assert summary["mean"] == pytest.approx(np.mean(by_hand))
    assert summary["sd"] == pytest.approx(np.std(by_hand, ddof=1))
    assert read_json(parent.environment)["training_seconds"] == 30 + 2 + 3
    assert FoldDecisions.from_json(json.loads(parent.decision.read_text())) == pool_decisions(folds[:2])
