import pytest

from medvision.reports.learning_curve_sentences import (
    answer_sentence,
    answering_level,
    limit_sentences,
    method_sentences,
    need_sentences,
    question_sentence,
)
from tests.reports.told_curves import needed, told


def with_need(**changes):
    found = told(models=("small",))
    found["levels"]["image"]["fits"]["small"]["needed"] = needed(found["sizes"], **changes)
    (sentence,) = need_sentences(found, "image")
    return sentence


def test_a_number_of_images_is_told_with_its_interval_and_its_patients():
    assert with_need() == (
        "small: about 120 more images (about 62 patients) for +1 point of AUROC beyond 800 training images "
        "(95 % interval 57 to 1,200)."
    )


def test_an_interval_without_an_end_is_a_least_number():
    assert with_need(high=None, why="the interval has no end") == (
        "small: at least 57 more images for +1 point of AUROC beyond 800 training images; how many cannot be said "
        "(the interval has no end). The fitted curve itself says about 120 (about 62 patients)."
    )
    assert "The fitted curve" not in with_need(high=None, value=None, why="the interval has no end")


def test_what_is_not_known_is_told_with_the_reason():
    said = with_need(value=None, low=None, high=None, why="2 sizes: any power law fits")
    assert said == (
        "small: how many images +1 point of AUROC beyond 800 training images would take cannot be said "
        "(2 sizes: any power law fits)."
    )


def test_a_model_without_a_curve_says_so():
    found = told()
    found["levels"]["image"]["fits"]["large"] = None
    assert need_sentences(found, "image")[1].startswith("large: no curve, as the AUROC is not defined")


def test_without_groups_only_images_are_told():
    found = told(models=("small",))
    found["group"] = "image"
    assert "patient" not in need_sentences(found, "image")[0]


def test_the_answer_tells_both_ends_and_whether_the_models_differ():
    text = answer_sentence(told())
    assert text.startswith("From 100 to 800 training images, AUROC per image: small from 0.700 (95 % interval 0.600")
    assert "the difference large − small is +0.050 (95 % interval -0.010 to +0.110): which of the two is better" in text
    found = told()
    found["levels"]["image"]["pairs"]["800"][0]["differences"]["auroc"]["low"] = 0.01
    assert answer_sentence(found).endswith("(95 % interval +0.010 to +0.110).")


def test_a_difference_without_interval_or_value_is_told_as_such():
    found = told()
    entry = found["levels"]["image"]["pairs"]["800"][0]["differences"]["auroc"]
    entry |= {"low": None, "high": None}
    assert answer_sentence(found).endswith("how sure that is cannot be said.")
    entry["value"] = None
    assert answer_sentence(found).endswith("With 800 images their difference is undefined.")


def test_simulated_images_are_called_simulated():
    found = told(simulated=True)
    assert answer_sentence(found).startswith("On simulated images, from 100")
    assert limit_sentences(found)[0].startswith("The images are simulated")
    assert not any("simulated" in line for line in limit_sentences(told()))


def test_studies_answer_where_there_are_any():
    found = told()
    found["levels"]["study"] = found["levels"]["image"]
    assert answering_level(found) == "study"


@pytest.mark.parametrize(
    ("changes", "said"),
    [({"repeats": 1}, "One repeat:"), ({"repeats": 2}, "2 repeats tell little"), ({"sizes": (1, 2, 3)}, "3 sizes:")],
)
def test_limits_are_those_of_the_numbers(changes, said):
    assert any(line.startswith(said) for line in limit_sentences(told(**changes)))


def test_few_patients_are_told():
    found = told()
    found["test"]["groups"] = 12
    assert "Only 12 patients were tested: interpret all intervals with care." in limit_sentences(found)
    assert not any(line.startswith("Only") for line in limit_sentences(told()))


def test_question_and_method():
    assert question_sentence(told()) == (
        "Is this patient sick? What do more training images bring, and to which model?"
    )
    assert question_sentence(told(models=("small",))).endswith("What do more training images bring?")
    text = " ".join(method_sentences(told()))
    assert "120 test images" in text
    assert "small and large saw the same images" in text
    assert "Hestness" in text
