import numpy as np
import pandas as pd
import pytest

from medvision.errors import DataError
from medvision.evaluation.cases import cases_by_level
from medvision.evaluation.decision import UNCHANGED, Decision
from medvision.evaluation.levels import read_levels, unit_names, unit_numbers
from medvision.evaluation.mask_text import MASK_SUMMARY
from medvision.evaluation.metrics import classification_metrics
from medvision.evaluation.segmentation import segmentation_metrics
from medvision.evaluation.text import SUMMARY

OPTIONS = {"resamples": 30, "seed": 2, "interval": "bca"}


@pytest.fixture
def studies(draw):
    """Images of studies whose numbers count within a patient; of some neither study nor patient is known."""
    frame = draw(60, ("well", "ill"), patients=8, seed=3)
    frame["study"] = (np.arange(60) % 3).astype(str)
    frame.loc[::7, "study"] = ""
    frame.loc[::14, "patient"] = ""
    key = frame["patient"] + "/" + frame["study"]
    frame["target"] = np.where(key.map(hash_of) % 2, "ill", "well")
    return frame


def hash_of(text):
    return sum(map(ord, text))


@pytest.fixture
def masks():
    """A prediction table of masks: 24 images of 8 patients, one foreground class that one image in six lacks."""
    random = np.random.default_rng(0)
    frame = pd.DataFrame({"image": [f"{k}.png" for k in range(24)], "patient": [f"p{k // 3}" for k in range(24)]})
    frame = frame.assign(mask="m.png", unit="mm")
    for metric in ("dice", "iou", "pixel_sensitivity", "pixel_precision", "hd95", "assd"):
        frame[f"{metric}_lung"] = random.uniform(0.5, 1, 24)
    frame["area_lung"] = frame["area_true_lung"] = 100.0
    frame.loc[::6, "area_true_lung"] = 0
    frame.loc[::6, "pixel_sensitivity_lung"] = np.nan
    frame.loc[::6, ["dice_lung", "iou_lung", "pixel_precision_lung"]] = 0
    frame.loc[::6, ["hd95_lung", "assd_lung"]] = np.inf
    return frame


def test_the_numbers_of_units_are_in_the_order_of_the_cases(studies):
    levels = cases_by_level(studies, ["well", "ill"])
    assert list(levels)[:2] == ["image", "study"]
    for level, cases in levels.items():
        units = unit_numbers(studies, level)
        for k in range(len(cases.truth)):
            rows = studies[units == k]
            assert cases.probabilities[k] == pytest.approx(rows[["p_well", "p_ill"]].mean().to_numpy())
            assert {cases.classes[cases.truth[k].argmax()]} == set(rows["target"])


def test_patients_are_numbered_without_studies(draw):
    frame = draw(20, patients=6)
    assert unit_numbers(frame, "patient").tolist() == pd.factorize(frame["patient"], sort=True)[0].tolist()
    assert unit_numbers(frame, "image").tolist() == list(range(20))
    without = frame.drop(columns="patient").assign(study="s")
    assert unit_numbers(without, "study").tolist() == [0] * 20


def test_a_unit_has_the_group_of_its_images():
    units = np.array([1, 1, 0, 2, 2])
    assert unit_names(np.array(["F", None, "M", None, None], object), units).tolist() == ["M", "F", None]
    assert unit_names(np.array(["F", "M", "M", None, None], object), units) is None
    assert unit_names(np.array([None] * 5, object), units).tolist() == [None] * 3


def test_all_cases_of_a_level_have_its_metrics(studies):
    decision = Decision(aggregate="max", rule=0.4)
    levels = read_levels(studies, ["well", "ill"], [], multilabel=False, decision=decision)
    united = cases_by_level(studies, ["well", "ill"], decision=decision)
    expected = classification_metrics(studies, ["well", "ill"], **OPTIONS, decision=decision)
    assert list(levels) == list(expected)
    found = levels["image"].metrics(np.ones(60, bool), **OPTIONS)
    assert {*SUMMARY, "sensitivity_ill", "npv_ill"} - {"sensitivity", "specificity"} <= set(found)
    assert found == {name: entry for name, entry in expected["image"].items() if "low" in entry}
    assert levels["study"].labels.predicted.tolist() == united["study"].predicted.tolist()


def test_all_masks_of_a_level_have_its_metrics(masks):
    levels = read_levels(masks, [], ["background", "lung"], multilabel=False, decision=UNCHANGED)
    expected = segmentation_metrics(masks, ["background", "lung"], **OPTIONS)
    assert list(levels) == list(expected) == ["image", "patient"]
    for name, level in levels.items():
        found = level.metrics(np.ones(len(level.groups), bool), **OPTIONS)
        assert set(MASK_SUMMARY) <= set(found)
        assert found == {metric: entry for metric, entry in expected[name].items() if "low" in entry}
        assert level.headline == "dice"


def test_masks_without_several_images_of_a_patient_have_one_level(masks):
    one = masks.iloc[::3].reset_index(drop=True)
    assert list(read_levels(one, [], ["background", "lung"], multilabel=False, decision=UNCHANGED)) == ["image"]


def test_labels_and_masks_of_the_same_images(masks):
    random = np.random.default_rng(1)
    chances = random.uniform(0, 1, 24)
    masks = masks.assign(target=np.where(random.random(24) < 0.5, "ill", "well"), p_well=1 - chances, p_ill=chances)
    masks["predicted"] = np.where(chances >= 0.5, "ill", "well")
    levels = read_levels(masks, ["well", "ill"], ["background", "lung"], multilabel=False, decision=UNCHANGED)
    assert {name: level.headline for name, level in levels.items()} == {"image": "auroc", "patient": "dice"}
    found = levels["image"].metrics(np.ones(24, bool), **OPTIONS)
    assert {"auroc", "log_loss", "dice", "hd95"} <= set(found)
    assert "auroc" not in levels["patient"].metrics(np.ones(8, bool), **OPTIONS)


def test_a_table_that_cannot_be_scored_is_refused(masks, draw):
    with pytest.raises(DataError, match="no column p_ill"):
        read_levels(draw(10, ("well", "b")), ["well", "ill"], [], multilabel=False, decision=UNCHANGED)
    with pytest.raises(DataError, match="no column dice_heart"):
        read_levels(masks, [], ["background", "heart"], multilabel=False, decision=UNCHANGED)
