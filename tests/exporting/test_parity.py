import numpy as np
import pandas as pd
import pytest

from medvision.answering.inputs import Preparation
from medvision.answering.model import Member, Model
from medvision.evaluation.operating_point import Decision
from medvision.exporting.parity import (
    EXACT,
    ORIGINAL,
    PREPARED,
    TOLERANCES,
    Tolerance,
    compare_answers,
    dice,
    summarise,
)

WIDE = Tolerance(probability=1.0, flips=1.0, pixel=1.0, dice=0.0)


class Says:
    """A network that says of an image what its first pixel is, and that its pixels are what they are."""

    def __init__(self, more=0.0, seen=None):
        self.more, self.seen = more, [] if seen is None else seen

    def ask(self, pixels):
        self.seen.append(len(pixels))
        share = (pixels[:, 0, 0, 0].astype(np.float32) / 255 + self.more).clip(0, 1)
        bright = (pixels[:, 0] / np.float32(255) + np.float32(self.more)).clip(0, 1).astype(np.float32)
        return {
            "probabilities": np.stack([1 - share, share], axis=1),
            "maps": np.stack([1 - bright, bright], axis=1),
        }


def make_model(network, decision=Decision(), **changes):  # noqa: B008
    content = {
        "name": "drawn",
        "identity": "",
        "members": (Member(network, decision),),
        "classes": ("no", "yes"),
        "multilabel": False,
        "mask_classes": ("rest", "disc"),
        "preparation": Preparation(4, "letterbox", 1),
        "batch_size": 2,
        "patients": 1,
        "known": frozenset(),
    }
    return Model(**{**content, **changes})


def draw(*values):
    return [(f"{number}.png", np.full((4, 4), value, np.uint8)) for number, value in enumerate(values)]


def test_the_same_network_differs_in_nothing():
    model = make_model(Says())
    table = compare_answers(model, Says(), Member(Says(), Decision()), None, draw(0, 100, 255))
    assert list(table["leg"]) == [PREPARED] * 3
    assert not table[["difference", "flipped", "pixel_difference"]].to_numpy().any()
    assert list(table["dice_disc"].isna()) == [True, True, False], "100 of 255 is background"
    summary = summarise(table, EXACT)
    assert summary["prepared"]["failures"] == []
    assert summary["prepared"]["dice"] == {"disc": {"mean": 1.0, "lowest": 1.0, "image": "2.png"}}


def test_differences_are_those_of_calibrated_answers_and_masks():
    """0.4 becomes 0.5 or more with 0.2 added: another answer, and another mask, at the first image only."""
    seen = []
    table = compare_answers(
        make_model(Says(), mask_classes=("rest", "disc")),
        Says(seen=seen),
        Member(Says(0.2), Decision()),
        None,
        draw(102, 0, 204),
    )
    assert seen == [2, 1], "in batches"
    np.testing.assert_allclose(table["difference"], [0.2, 0.2, 0.2], atol=1e-6)
    assert list(table["flipped"]) == [True, False, False]
    np.testing.assert_allclose(table["dice_disc"], [0.0, np.nan, 1.0])
    found = summarise(table, {PREPARED: Tolerance(0.1, 0.3, 0.1, 0.9)})["prepared"]
    assert found["flips"] == 1
    assert found["largest_difference"] == pytest.approx(0.2)
    assert found["dice"]["disc"] == {"mean": 0.5, "lowest": 0.0, "image": "0.png"}
    assert [text.split(" (")[0] for text in found["failures"]] == [
        "a probability differs by 0.2",
        "1 of 3 answers are others",
        "the probability of a pixel differs by 0.2",
        "Dice of disc with the masks of the run is 0.5000",
    ]
    assert all(text.endswith("0.png") for text in found["failures"] if "differs" not in text)
    assert summarise(table, {PREPARED: WIDE})["prepared"]["failures"] == []


def test_the_thresholds_and_the_temperature_of_the_run_count():
    """A graph that has tempered already is not tempered again; the saved threshold decides of both."""
    decision = Decision(temperature=2.0, thresholds={"image": {"yes": 0.9}})
    network = Says()

    class Tempered(Says):
        def ask(self, pixels):
            said = super().ask(pixels)
            odds = np.sqrt(said["probabilities"])
            return {**said, "probabilities": odds / odds.sum(axis=1, keepdims=True)}

    exported = Member(Tempered(), Decision(thresholds=decision.thresholds))
    table = compare_answers(make_model(network, decision), network, exported, None, draw(40, 200, 250))
    assert table["difference"].max() < 1e-6
    assert not table["flipped"].any()


def test_originals_are_asked_one_by_one_at_their_own_size():
    shapes = []

    def run(pixels):
        shapes.append(pixels.shape)
        bright = np.full((1, 2, *pixels.shape[2:]), 0.5, np.float32)
        return {"probabilities": np.array([[0.5, 0.5]], np.float32), "mask_probabilities": bright}

    model = make_model(Says(), preparation=Preparation(4, "letterbox", 3))
    images = [("a.png", np.zeros((7, 5, 3), np.uint8)), ("b.png", np.full((4, 8, 3), 255, np.uint8))]
    table = compare_answers(model, Says(), Member(Says(), Decision()), run, images)
    assert shapes == [(1, 3, 7, 5), (1, 3, 4, 8)]
    assert list(table["leg"]) == [PREPARED, ORIGINAL] * 2
    # The first pixel of a square is black for both: one is narrow, the other low.
    np.testing.assert_allclose(table["difference"], [0, 0.5, 0, 0.5])


def test_what_is_no_number_fails():
    table = pd.DataFrame({"image": ["a", "b"], "leg": ORIGINAL, "difference": [0.1, np.nan], "flipped": [False, False]})
    found = summarise(table, {ORIGINAL: WIDE})["original"]
    assert found["largest_difference"] is None
    assert found["failures"] == ["a probability is no number at b"]


def test_a_class_that_no_mask_shows_has_no_dice():
    table = pd.DataFrame({"image": ["a"], "leg": PREPARED, "pixel_difference": [0.0], "dice_x": [np.nan]})
    assert summarise(table, EXACT)["prepared"]["dice"] == {"x": {"mean": None, "lowest": None, "image": None}}


def test_dice_of_masks_counted_by_hand():
    left = np.array([[1, 1, 0, 0]], bool)
    right = np.array([[0, 1, 1, 1]], bool)
    assert dice(left, right) == pytest.approx(2 / 5)
    assert dice(left, ~left) == 0
    assert np.isnan(dice(left & ~left, left & ~left))


def test_every_precision_has_tolerances_that_grow():
    assert list(TOLERANCES) == ["fp32", "fp16", "int8"]
    assert all(set(legs) == {PREPARED, ORIGINAL} for legs in TOLERANCES.values())
    for leg in (PREPARED, ORIGINAL):
        steps = [TOLERANCES[precision][leg] for precision in ("fp32", "fp16", "int8")]
        assert [one.probability for one in steps] == sorted(one.probability for one in steps)
        assert [one.dice for one in steps] == sorted((one.dice for one in steps), reverse=True)
