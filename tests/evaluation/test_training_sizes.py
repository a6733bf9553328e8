from dataclasses import replace

import numpy as np
import pytest

from medvision.errors import DataError
from medvision.evaluation.folds import FoldDecisions
from medvision.evaluation.metrics import classification_metrics
from medvision.evaluation.operating_point import Decision
from medvision.evaluation.training_sizes import (
    Question,
    check_subsets,
    compare_models,
    describe_subsets,
    describe_test,
    fit_curves,
    flatten_headlines,
    join_repeats,
    keep_headlines,
)
from tests.drawn_curves import CLASSES, IMAGES, draw_answers

QUESTION = Question(classes=CLASSES, mask_classes=[], multilabel=False, resamples=60, seed=3, interval="percentile")


def draw(models=("small", "large"), sizes=(100, 400), repeats=2):
    return {
        model: {size: [draw_answers(model, size, repeat) for repeat in range(repeats)] for size in sizes}
        for model in models
    }


def test_nested_subsets_of_the_same_images_pass():
    check_subsets(draw())


def test_an_image_that_larger_subsets_lack_is_told():
    curves = draw()
    for model in curves:
        split = curves[model][100][1].split.copy()
        outside = split.index[split["split"] == "unused"][-1]
        inside = split.index[split["split"] == "train"][0]
        split.loc[[outside, inside], "split"] = ["train", "unused"]
        curves[model][100][1] = replace(curves[model][100][1], split=split)
    with pytest.raises(DataError, match="the 100 images of repeat 1 do not lie in its larger subsets"):
        check_subsets(curves)


def test_models_that_saw_other_images_are_told():
    curves = draw()
    curves["large"][400][0] = replace(curves["large"][400][0], split=curves["large"][100][0].split)
    with pytest.raises(DataError, match="large, 400 images, repeat 0 was trained on other images than small"):
        check_subsets(curves)


def test_another_validation_set_is_told():
    curves = draw()
    split = curves["large"][400][0].split.copy()
    split.loc[split["split"] == "val", "image"] += "x"
    curves["large"][400][0] = replace(curves["large"][400][0], split=split)
    with pytest.raises(DataError, match="large, 400 images, repeat 0 has other validation images"):
        check_subsets(curves)


def test_a_model_without_all_repeats_is_told():
    curves = draw()
    del curves["large"][100][1]
    with pytest.raises(DataError, match="large has not the sizes and repeats of small"):
        check_subsets(curves)


def test_subsets_are_counted_by_repeat():
    first, last = describe_subsets(draw(sizes=(101, 400))["small"])
    assert (first["images"], last["images"]) == (101, 400)
    # Two images a patient: the last one is in with one of them.
    assert first["groups"] == [51, 51]
    assert last["groups"] == [400 // IMAGES] * 2
    assert [sum(counts.values()) for counts in first["classes"]] == [101, 101]
    assert set(last["classes"][0]) == set(CLASSES)


def test_the_test_split_is_counted():
    assert describe_test(draw()["small"][100][0]) == {
        "images": 120,
        "groups": 60,
        "classes": {"well": 60, "sick": 60},
    }


def test_headlines_become_columns():
    entries = {"auroc": {"value": 0.9, "low": 0.8, "high": None}, "brier": {"value": 0.1, "low": None, "high": None}}
    assert flatten_headlines(entries) == {"auroc": 0.9, "auroc_low": 0.8, "auroc_high": None}


def test_repeats_become_one_table_with_a_decision_each():
    answers = draw()["small"][100]
    answers[1] = replace(answers[1], decision=Decision(temperature=2.0))
    table, decision = join_repeats(answers)
    assert len(table) == len(answers[0].rows) + len(answers[1].rows)
    assert isinstance(decision, FoldDecisions)
    assert [one.temperature for one in decision.by_fold.values()] == [1.0, 2.0]
    alone, one = join_repeats(answers[:1])
    assert alone is answers[0].rows
    assert one is answers[0].decision


def test_mean_and_spread_over_repeats_by_hand():
    answers = draw(repeats=3)["small"][400]
    single = [classification_metrics(one.rows, CLASSES, resamples=0)["image"]["auroc"]["value"] for one in answers]
    table, decision = join_repeats(answers)
    entries = classification_metrics(table, CLASSES, resamples=50, decision=decision)["image"]
    kept = keep_headlines(entries)
    assert kept["auroc"]["value"] == pytest.approx(np.mean(single))
    assert kept["auroc"]["sd"] == pytest.approx(np.std(single, ddof=1))
    assert "brier" not in kept
    assert keep_headlines(classification_metrics(answers[0].rows, CLASSES, resamples=0)["image"])["auroc"]["sd"] is None


def test_differences_at_every_size_are_those_of_the_means_and_corrected_together():
    curves = draw()
    found = compare_models(curves, QUESTION)
    for size in (100, 400):
        (pair,) = found["image"][size]
        means = {}
        for model in curves:
            table, decision = join_repeats(curves[model][size])
            means[model] = classification_metrics(table, CLASSES, resamples=0, decision=decision)["image"]
        for metric in ("auroc", "accuracy"):
            expected = means["large"][metric]["value"] - means["small"][metric]["value"]
            assert pair["differences"][metric]["value"] == pytest.approx(expected)
    tests = [test for pairs in found["image"].values() for pair in pairs for test in pair["tests"]]
    known = sorted((test["p"], test["p_holm"]) for test in tests if test["p"] is not None)
    assert known[0][1] == pytest.approx(min(1, known[0][0] * len(known)))
    assert len(known) > 2


def test_one_model_has_nothing_to_be_compared_with():
    assert compare_models(draw(models=("small",)), QUESTION) == {}


def test_every_level_has_its_curve():
    found = fit_curves(draw(models=("small",), sizes=(100, 200, 400, 800)), QUESTION)
    assert set(found) == {"image", "patient"}
    fit = found["image"]["fits"]["small"]
    assert found["image"]["headline"] == "auroc"
    assert fit["asymptote"]
    assert fit["curve"][0]["images"] == pytest.approx(100)
