import math
from dataclasses import replace

import pytest

from medvision.reports.sweep_importance import Importance
from medvision.reports.sweep_inputs import read_sweep
from medvision.reports.sweep_sentences import (
    answer_sentences,
    choice_sentences,
    edge_sentences,
    importance_sentences,
    limit_sentences,
    method_sentences,
    metric_name,
    parameter_caption,
    question_sentence,
    spec_text,
    state_sentence,
    unshown_sentence,
    value_digits,
    winner_sentence,
)
from tests.reports.swept import draw_trials, results, write_sweep
from tests.reports.told import LABELS, MASKS, entry


@pytest.fixture
def told(tmp_path):
    """The inputs of a sweep of drawn trials."""

    def inputs(trials=None, **changes):
        return read_sweep(write_sweep(tmp_path / "sweep", trials, **changes))

    return inputs


def four(**columns):
    return draw_trials(4).assign(value=[0.8, 0.86, 0.7, 0.5], state="finished").assign(**columns)


def test_the_question_names_metric_and_goal(told):
    assert question_sentence(told()) == (
        "Which section does this image show? Which settings give the highest F1 (macro) on the validation split?"
    )


def test_the_answer_is_the_winner_with_its_settings_then_the_test_split(told):
    answer, tested = answer_sentences(told(four()))
    assert answer == (
        "Of 4 trials, trial 1 has the highest F1 (macro) on the validation split, 0.86, with optimizer.lr 0.01791, "
        "model.backbone vgg_small, model.dropout 0.4564 and ema.decay 0.99."
    )
    assert tested == (
        "On 18 images of 6 patients of the test split, scored once, after the choice: AUROC 0.91 (95 % interval 0.80 "
        "to 0.97) and balanced accuracy 0.85 (95 % interval 0.70 to 0.95)."
    )


def test_simulated_images_are_called_so(told):
    answer, tested = answer_sentences(told(simulated=True))
    assert answer.startswith("On simulated images: of 24 trials, trial ")
    assert "of the test split, all of them simulated, scored once" in tested


def test_the_test_result_outlives_the_run_folder_of_the_winner(told):
    inputs = told(metrics={"val": results()["val"]}, test={**LABELS, "accuracy": entry(0.1)})
    assert winner_sentence(inputs) == (
        "On the cases of the test split, scored once, after the choice: AUROC 0.91 (95 % interval 0.80 to 0.97) and "
        "balanced accuracy 0.85 (95 % interval 0.70 to 0.95)."
    )


def test_without_a_test_there_is_none(told):
    inputs = told(metrics={"val": results()["val"]}, test=None)
    assert answer_sentences(inputs)[1] == "The test split was not scored."


def test_one_trial_is_no_choice(told):
    inputs = told(draw_trials(1))
    assert answer_sentences(inputs)[0].startswith("Trial 0, the only one with a value, has the F1 (macro)")
    assert choice_sentences(inputs) == ["Nothing was chosen among trials: only this one has a value."]


def test_nothing_that_has_a_value_is_no_winner(told):
    inputs = told(draw_trials(3).assign(value=math.nan, state="failed"))
    assert answer_sentences(inputs) == ["No trial has a value of the metric: none was chosen."]
    assert choice_sentences(inputs) == []
    assert edge_sentences(inputs) == []
    assert "3 trials failed and have no value." in limit_sentences(inputs)


def test_trials_are_counted_by_what_became_of_them(told):
    trials = four(state=["finished", "stopped", "finished", "failed"])
    assert state_sentence(told(trials)) == "4 trials: 2 finished, 1 stopped early and 1 failed; 4 min 6 s together."


def test_how_many_others_could_as_well_have_been_chosen(told):
    # The winner's F1 has the interval 0.75 to 0.92: 0.8 lies in it beside the winner's own, 0.7 and 0.5 do not.
    _, near = choice_sentences(told(four()))
    assert near == (
        "Per image, the winner's F1 (macro) on the validation split is 0.85 (95 % interval 0.75 to 0.92): 1 of 3 other "
        "trials lie in this interval."
    )


def test_a_winner_outside_its_own_interval_is_not_counted_among_the_others(told):
    _, near = choice_sentences(told(four(value=[0.8, 0.95, 0.7, 0.5])))
    assert near.endswith(": 1 of 3 other trials lie in this interval.")


def test_without_an_interval_nothing_is_counted(told):
    assert len(choice_sentences(told(four(), metric={"name": "val/loss", "goal": "maximize"}))) == 1


@pytest.mark.parametrize(
    ("rate", "said"), [(1.1e-5, ["lower"]), (0.09, ["upper"]), (1e-3, []), (0.03, [])], ids=lambda v: str(v)
)
def test_a_winner_at_the_end_of_its_range_is_told(told, rate, said):
    trials = draw_trials(2).assign(value=[0.9, 0.1])
    trials.loc[0, ["optimizer.lr", "model.dropout"]] = rate, 0.2
    sentences = edge_sentences(told(trials))
    assert len(sentences) == len(said)
    for sentence, end in zip(sentences, said, strict=True):
        assert f"optimizer.lr ({rate:.4g}) lies at the {end} end of what was searched" in sentence


def test_categories_and_normal_numbers_have_no_end_to_lie_at(told):
    parameters = {"model.backbone": {"values": ["vgg_small", "resnet18", "two_layer_cnn"]}}
    parameters["model.dropout"] = {"distribution": "normal", "mu": 0, "sigma": 1}
    assert edge_sentences(told(parameters=parameters)) == []


@pytest.mark.parametrize(
    ("importance", "said"),
    [
        (
            Importance(shares={}, explained=None, trials=4),
            "4 trials with a value: which parameter matters cannot be said (it takes 10).",
        ),
        (Importance(shares={}, explained=None, trials=40), "(they all have the same value)"),
        (
            Importance(shares={}, explained=-0.2, trials=40),
            "explains 0 % of the variance of trials that its trees have not seen. Of less than 30 % no shares are told",
        ),
        (
            Importance(shares={"a": 0.75, "b": 0.05}, explained=0.8, trials=40),
            "the remaining 20 % are their interactions",
        ),
        (
            Importance(shares={"a": 0.75, "b": 0.05}, explained=0.4, trials=40),
            "That is little: take the shares for hints.",
        ),
    ],
)
def test_shares_come_with_how_far_they_can_be_trusted(told, importance, said):
    (sentence,) = importance_sentences(told(), importance)
    assert said in sentence
    assert ("That is little" in sentence) == (importance.explained == 0.4)
    assert "crowd" not in sentence


def test_proposed_trials_are_no_fair_sample_of_the_space(told):
    (sentence,) = importance_sentences(told(method="bayes"), Importance(shares={"a": 0.9}, explained=0.8, trials=40))
    assert "crowd where the metric is good" in sentence


def test_a_choice_over_folds_has_seen_all_patients(told):
    inputs = told(folds=True)
    assert metric_name(inputs) == "F1 (macro) on validation images, mean of the folds"
    assert "of all test folds pooled, scored once, after the choice" in winner_sentence(inputs)
    assert any("the choice has seen all patients" in sentence for sentence in limit_sentences(inputs))
    assert not any("seen all" in sentence for sentence in limit_sentences(replace(inputs, folds=False)))


def test_limits_are_those_of_the_trials(told):
    limits = " ".join(limit_sentences(told(draw_trials(24).assign(value=[*range(23), -1e9]), simulated=True)))
    assert "The images are simulated" in limits
    assert "The choice rests on 15 validation patients" in limits
    assert "stopped early might have become better" in limits
    assert "1 trial far worse than all others is drawn at the edge of the axis." in limits
    assert "from one seed" in limits


def test_the_method_says_how_trials_were_proposed_and_stopped(told):
    inputs = told()
    text = " ".join(method_sentences(inputs))
    assert text.startswith("Trials were drawn at random; seed 7. Compared by val/f1 (maximize), of each trial the best")
    assert "Hyperband stopped trials early (min_iter 2, eta 2)" in text
    assert "ICML 2014" in text


def test_the_method_without_early_stopping_does_not_speak_of_it(told):
    assert "Hyperband" not in " ".join(method_sentences(told(early_terminate=None, seed=None)))


@pytest.mark.parametrize(("metric", "digits"), [("val/f1", 2), ("val/loss", 3), ("val/auroc", 2)])
def test_decimals_are_what_the_cases_support(told, metric, digits):
    assert value_digits(told(metric={"name": metric, "goal": "maximize"})) == digits


def test_masks_are_said_too(told):
    inputs = told(
        metrics={"val": {"image": MASKS}, "test": {"image": MASKS}}, metric={"name": "val/dice", "goal": "maximize"}
    )
    assert metric_name(inputs) == "Dice on the validation split"
    assert winner_sentence(inputs).startswith(
        "On 18 images of 6 patients of the test split, scored once, after the choice: Dice"
    )


def test_what_is_not_drawn_is_named(told):
    inputs = told()
    assert unshown_sentence(inputs, inputs.parameters) == ""
    assert unshown_sentence(inputs, inputs.parameters[:2]) == "Not drawn: model.dropout and ema.decay."


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ({"value": None}, "null"),
        ({"distribution": "constant", "value": 3}, "3"),
        ({"distribution": "categorical", "values": ["a", None]}, "one of a, null"),
        ({"values": [1, 2], "probabilities": [0.25, 0.75]}, "one of 1, 2 with probabilities 0.25, 0.75"),
        ({"min": 0.0, "max": 0.5}, "uniform, min 0.0, max 0.5"),
        ({"distribution": "q_normal", "mu": 0, "sigma": 2, "q": 0.5}, "q normal, mu 0, sigma 2, q 0.5"),
    ],
)
def test_a_parameter_is_told_in_words(spec, text):
    assert spec_text(spec) == text


def test_a_figure_says_what_its_parameter_explains(told):
    rate, backbone, *_ = told().parameters
    known = Importance(shares={"model.backbone": 0.345}, explained=0.8, trials=40)
    assert parameter_caption(rate, known) == "optimizer.lr on a logarithmic axis."
    assert parameter_caption(backbone, known) == "model.backbone; by itself it explains 34 % of the differences."


@pytest.mark.parametrize(
    ("levels", "chosen", "end"),
    [
        ([16, 32, 64], 64, "upper"),
        ([64, 16, 32], 16, "lower"),
        ([16, 32, 64], 32, ""),
        ([16, 32], 32, ""),
        (["a", 2, 3], 3, ""),
    ],
)
def test_numbers_of_a_list_have_ends_too(told, levels, chosen, end):
    trials = four(**{"data.batch_size": [levels[0], chosen, levels[0], levels[-1]]})
    said = edge_sentences(told(trials, parameters={"data.batch_size": {"values": levels}}))
    assert [f"({chosen}) lies at the {end} end" in sentence for sentence in said] == ([True] if end else [])
