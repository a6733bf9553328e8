import pytest

from medvision.reports.question import question_text
from tests.reports.told import EXPERIMENT, draw_inputs, draw_mask_inputs

UNASKED = {**EXPERIMENT, "question": " "}


def test_the_question_of_the_experiment_is_asked():
    assert question_text(draw_inputs()) == "Does this image show a torn tendon?"


@pytest.mark.parametrize(
    ("classes", "multilabel", "question"),
    [
        (["whole", "torn"], False, "Does an image show torn or whole?"),
        (["a", "b", "c"], False, "Which of a, b and c does an image show?"),
        (["a", "b"], True, "Which of a and b does an image show?"),
        ([str(k) for k in range(9)], False, "Which of 9 classes does an image show?"),
    ],
)
def test_without_one_it_is_made_of_the_classes(classes, multilabel, question):
    assert question_text(draw_inputs(experiment=UNASKED, classes=classes, multilabel=multilabel)) == question


def test_masks_are_asked_for():
    inputs = draw_mask_inputs(experiment=UNASKED)
    assert question_text(inputs) == "Which pixels of an image show tendon?"
    both = draw_mask_inputs(experiment=UNASKED, classes=["whole", "torn"])
    assert question_text(both) == "Does an image show torn or whole? Which pixels of an image show tendon?"
