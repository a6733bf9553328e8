from dataclasses import replace

import pytest

from medvision.reports.comparison_inputs import ModelFacts
from medvision.reports.comparison_sentences import (
    answer_sentence,
    difference_of,
    limit_sentences,
    model_sentence,
    question_sentence,
    same_sentence,
)
from tests.reports.compared import UNDECIDED, WON, by_hand, draw_comparison, entry, experiment, one_test, pair


def facts(name, **model):
    settings = experiment(name)
    return ModelFacts(name=name, experiment={**settings, "model": {**settings["model"], **model}}, runs=[])


def test_the_question_is_that_of_the_experiments():
    assert question_sentence(WON) == "Is the tendon torn? Which of scratch and transfer answers it better?"
    other = replace(WON.models[0], experiment={**WON.models[0].experiment, "question": "Another?"})
    assert question_sentence(replace(WON, models=[other, WON.models[1]])) == "Which of scratch and transfer is better?"
    many = replace(WON, models=[replace(WON.models[0], name=f"m{k}") for k in range(7)])
    assert question_sentence(many).endswith("Which of 7 models answers it best?")


def test_a_clear_answer_has_difference_interval_and_p():
    assert answer_sentence(WON) == (
        "On the same 90 images of 30 patients transfer has the higher AUROC: 0.90 (95 % interval 0.85 to 0.95). "
        "Against scratch the difference in AUROC is +0.20 (95 % interval +0.10 to +0.30), "
        "p = 0.024 (Obuchowski (clustered DeLong), Holm's correction)."
    )


def test_a_difference_is_turned_so_that_the_better_model_comes_first():
    text = answer_sentence(UNDECIDED)
    assert "scratch has the higher AUROC" in text
    assert "Against transfer the difference in AUROC is +0.02 (95 % interval -0.06 to +0.10), p = 1.000" in text
    assert text.endswith("the interval holds 0, so which of the two is better cannot be said, nor that they are equal.")
    turned, _ = difference_of(UNDECIDED, "scratch", "transfer")
    assert (turned["value"], turned["low"], turned["high"]) == (0.02, -0.06, 0.1)
    assert difference_of(UNDECIDED, "scratch", "nobody")[0]["value"] is None


@pytest.mark.parametrize(
    ("n", "value", "difference"),
    [
        (10, "0.90 (95 % interval 0.84 to 0.96)", "+0.20 (95 % interval +0.10 to +0.30)"),
        (101, "0.900 (95 % interval 0.840 to 0.960)", "+0.200 (95 % interval +0.100 to +0.300)"),
    ],
)
def test_value_difference_and_intervals_have_the_decimals_of_their_cases(n, value, difference):
    of = {"n": n, "patients": n}
    inputs = by_hand(entry(0.7, 0.6, 0.8, **of), entry(0.9, 0.84, 0.96, **of), pair(entry(0.2, 0.1, 0.3, **of)))
    text = answer_sentence(inputs)
    assert f"AUROC: {value}. " in text
    assert f"difference in AUROC is {difference}" in text


def test_simulated_images_are_said():
    assert "90 images of 30 patients, all of them simulated, transfer has" in answer_sentence(
        replace(WON, simulated=True)
    )
    assert limit_sentences(replace(WON, simulated=True))[0].startswith("The images are simulated")
    assert not any("simulated" in sentence for sentence in limit_sentences(WON))


def test_equal_values_undefined_values_and_no_intervals():
    same = by_hand(entry(0.7), entry(0.7), pair(entry(0.0)))
    assert answer_sentence(same).endswith(
        "all models have the same AUROC: 0.70. That does not show that they are equally good."
    )
    undefined = by_hand(entry(None), entry(0.7), pair(entry(None)))
    assert "nothing can be compared" in answer_sentence(undefined)
    bare = by_hand(entry(0.6), entry(0.7), pair(entry(0.1), tests=[one_test(None, None)]))
    assert answer_sentence(bare).endswith("+0.10: how sure that is cannot be said.")


def test_many_models_are_not_all_told():
    inputs = draw_comparison(("scratch", "transfer", "baseline"))
    text = answer_sentence(inputs)
    assert "transfer has the highest AUROC" in text
    assert text.count("Against ") == 2
    assert any("best of several" in sentence for sentence in limit_sentences(inputs))
    assert not any("best of several" in sentence for sentence in limit_sentences(WON))


def test_what_cannot_be_said():
    few = by_hand(entry(0.7), entry(0.8), pair(entry(0.1, 0.05, 0.15)))
    few.comparison["levels"]["image"]["patients"] = 12
    assert "Only 12 patients: interpret intervals and p values with care." in limit_sentences(few)
    assert any("trained once" in sentence for sentence in limit_sentences(few))
    assert not any("trained once" in sentence for sentence in limit_sentences(replace(few, folds=5)))
    assert any("no proof" in sentence for sentence in limit_sentences(UNDECIDED))
    assert not any("no proof" in sentence for sentence in limit_sentences(WON))


def test_folds_and_repeats_are_told():
    assert "folds" not in same_sentence(WON)
    assert "in the same 5 folds, 3 times:" in same_sentence(replace(WON, folds=5, repeats=3))


def test_a_model_in_a_few_words():
    assert model_sentence(facts("scratch")) == "vgg_small, random first weights"
    assert model_sentence(facts("transfer")) == "resnet18, pretrained"
    assert model_sentence(facts("baseline")) == "classical baseline, random forest on edges and hog features"
    embedding = facts("baseline", features="embedding", backbone="resnet18", estimator="kmeans")
    assert model_sentence(embedding) == "classical baseline, kmeans on embedding features of resnet18"
