"""What holds for every simulated view: form, range, the same patient, another patient, another finding."""

import numpy as np
import pytest

from medvision.phantoms.chests import draw_chest
from medvision.phantoms.joints import JOINTS, SECTIONS, draw_joint, draw_section
from medvision.phantoms.knees import draw_knee
from medvision.phantoms.layouts import BODY_PARTS
from medvision.phantoms.limbs import draw_limb, skeleton
from medvision.phantoms.organs import LUNGS, draw_infant_hip, draw_lung
from medvision.phantoms.radiograph import draw_exposure
from medvision.phantoms.ultrasound import draw_examination

SIZE = (72, 96)
FINDINGS = ((), ("fracture",), ("implant",), ("fracture", "implant"))

# Of each kind: who is drawn, and one function a class from patient and hand to pixels.
KINDS = {
    "sections": (draw_examination, [lambda p, h, s=s: draw_section(s, p, h, SIZE) for s in SECTIONS]),
    "joints": (draw_examination, [lambda p, h, j=j: draw_joint(j, p, h, SIZE) for j in JOINTS]),
    "lungs": (draw_examination, [lambda p, h, f=f: draw_lung(f, p, 0, h, 72, convex=True) for f in LUNGS]),
    "limbs": (draw_exposure, [lambda p, h, f=f: draw_limb("WRIST", f, p, 1, h, SIZE) for f in FINDINGS]),
    "knees": (draw_exposure, [lambda p, h, g=g: draw_knee(g, False, p, h, 72) for g in range(5)]),
    "chests": (draw_exposure, [lambda p, h, f=f: draw_chest(f, p, h, SIZE) for f in ("normal", "bacteria", "virus")]),
}


@pytest.fixture(params=sorted(KINDS))
def kind(request):
    """Two patients, and one function a class."""
    draw_patient, views = KINDS[request.param]
    generator = np.random.default_rng(7)
    return [draw_patient(generator) for _ in range(2)], views


def test_pixels_are_uint8_and_not_flat(kind):
    patients, views = kind
    for view in views:
        pixels = view(patients[0], np.random.default_rng(0))
        assert pixels.dtype == np.uint8
        assert pixels.ndim == 2
        assert pixels.std() > 5
        assert (pixels == 255).mean() < 0.2, "overexposed"


def test_the_same_hand_draws_the_same_pixels(kind):
    patients, views = kind
    for view in views:
        first, second = (view(patients[0], np.random.default_rng(3)) for _ in range(2))
        assert np.array_equal(first, second)


def test_images_of_a_patient_are_more_alike_than_those_of_two(kind):
    patients, views = kind
    within, between = [], []
    for view in views:
        first, again = (view(patients[0], np.random.default_rng(hand)).astype(float) for hand in (0, 1))
        other = view(patients[1], np.random.default_rng(1)).astype(float)
        within.append(np.abs(first - again).mean())
        between.append(np.abs(first - other).mean())
    assert 0 < np.mean(within) < np.mean(between)


def test_classes_of_one_patient_differ(kind):
    patients, views = kind
    drawn = [view(patients[0], np.random.default_rng(0)).astype(float) for view in views]
    assert all(np.abs(a - b).mean() > 0.3 for k, a in enumerate(drawn) for b in drawn[:k])


@pytest.mark.parametrize("body_part", BODY_PARTS)
@pytest.mark.parametrize("findings", FINDINGS, ids="-".join)
def test_every_body_part_takes_every_finding(body_part, findings):
    for seed in range(3):
        patient = draw_exposure(np.random.default_rng(seed))
        plain, found = (draw_limb(body_part, f, patient, 1, np.random.default_rng(0), SIZE) for f in ((), findings))
        assert np.array_equal(plain, found) == (not findings)


def test_body_parts_have_their_own_bones():
    counts = {part: len(skeleton(part, np.random.default_rng(0))) for part in BODY_PARTS}
    assert counts["HUMERUS"] == 1
    assert counts["FOREARM"] == 2
    assert counts["HAND"] == 20
    assert len(set(counts.values())) >= 4


def test_a_worse_grade_narrows_the_joint_space():
    """Between the condyles and the plateau lies soft tissue, darker than bone: less of it with each sign."""
    dark = []
    for grade in (0, 4):
        patients = (draw_exposure(np.random.default_rng(seed)) for seed in range(12))
        images = (draw_knee(grade, False, patient, np.random.default_rng(0), 96).astype(float) for patient in patients)
        dark.append(np.mean([np.quantile(image[40:60, 30:66] / image.max(), 0.1) for image in images]))
    assert dark[1] > dark[0] + 0.02


def test_the_fibula_lies_on_the_outer_side():
    patient = draw_exposure(np.random.default_rng(0))
    left, right = (
        draw_knee(0, side, patient, np.random.default_rng(0), 96)[78:].astype(float) for side in (False, True)
    )
    outer, inner = slice(62, 80), slice(16, 34)
    assert left[:, outer].mean() > left[:, inner].mean()
    assert right[:, inner].mean() > right[:, outer].mean()


def test_a_curved_probe_draws_a_fan():
    patient = draw_examination(np.random.default_rng(0))
    fan, box = (draw_lung("regular", patient, 0, np.random.default_rng(0), 72, convex=c) for c in (True, False))
    assert fan[8, 0] == fan[8, -1] == 0
    assert box[8, 0] > 0


@pytest.mark.parametrize("standard", [True, False])
def test_a_hip_is_grey_in_three_channels(standard):
    pixels = draw_infant_hip(standard, draw_examination(np.random.default_rng(0)), 72)
    assert pixels.shape == (72, 72, 3)
    assert (pixels[..., :1] == pixels).all()
