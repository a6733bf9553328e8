"""Ultrasound of joints: sections that differ by what lies where, not by texture."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from medvision.phantoms.ultrasound import (
    CARTILAGE,
    FAT,
    FLUID,
    MENISCUS,
    MUSCLE,
    TENDON,
    Array,
    Examination,
    Scene,
    scan,
)

Anatomy = Callable[[Scene], None]


def suprapatellar(scene: Scene) -> None:
    """Quadriceps tendon running to the patella, the suprapatellar recess, the femur below. Lengthwise."""
    x, draw = scene.x, scene.anatomy
    edge = draw.uniform(0.62, 0.8)
    scene.skin()
    tendon = 0.16 + 0.03 * (x - 0.5) + draw.normal(0, 0.012)
    below = tendon + draw.uniform(0.09, 0.14)
    scene.fibres(scene.patient.fat, tendon, FAT, strands=3)
    scene.fibres(tendon, np.where(x < edge + 0.06, below, tendon), TENDON, strands=7)
    femur = draw.uniform(0.5, 0.62) + draw.normal(0.03, 0.05) * (x - 0.5)
    scene.fill(below, femur, FAT)
    middle = 0.5 * (below + femur) - 0.02
    half = draw.uniform(0.012, 0.05) * np.clip(1 - ((x - edge + 0.28) / 0.3) ** 2, 0, None)
    scene.fill(middle - half, middle + half, FLUID)
    scene.interface(middle - half, 0.25)
    scene.bone(femur)
    patella = tendon + 0.02 + 1.2 * np.clip(edge + 0.12 - x, 0, None) ** 2
    scene.bone(np.where(x > edge, patella, np.inf), strength=3)


def medial(scene: Scene) -> None:
    """Femur and tibia with the meniscus between them and the collateral ligament close upon both. Lengthwise."""
    _tibiofemoral(scene, lateral_share=scene.anatomy.normal(0.3, 0.25))


def lateral(scene: Scene) -> None:
    """As medial, but the popliteus groove in the femur, a step in the tibia, the ligament away from the bone."""
    _tibiofemoral(scene, lateral_share=scene.anatomy.normal(0.7, 0.25))


def _tibiofemoral(scene: Scene, lateral_share: float) -> None:
    """Anatomy varies: some knees look medial from the lateral side, and the other way round."""
    x, draw = scene.x, scene.anatomy
    scene.skin()
    gap = 0.5 + draw.normal(0, 0.02)
    width = 0.035 + 0.02 * lateral_share
    depth = draw.uniform(0.3, 0.38)
    groove = 0.09 * lateral_share * np.exp(-(((x - gap + 0.2) / 0.045) ** 2))
    femur = depth + 0.55 * np.clip(gap - 0.22 - x, 0, None) ** 2 + 1.1 * np.clip(x - gap + 0.17, 0, None) ** 2 + groove
    step = 0.07 * lateral_share / (1 + np.exp(-(x - gap - 0.24) / 0.03))
    tibia = depth + 0.03 + 1.4 * np.clip(gap + 0.16 - x, 0, None) ** 2 + 0.12 * np.clip(x - gap - 0.15, 0, None) - step
    outer = np.minimum(femur, tibia)
    away = 0.012 + 0.06 * np.clip(lateral_share, 0, 1.3)
    ligament = np.minimum(outer, depth + 0.03) - away
    thickness = draw.uniform(0.04, 0.06) - 0.012 * lateral_share
    scene.fibres(scene.patient.fat, ligament - thickness, MUSCLE, strands=5)
    scene.fill(ligament, outer, FAT)
    scene.fibres(ligament - thickness, ligament, TENDON, strands=4)
    wedge = np.clip(1 - np.abs(x - gap) / 0.14, 0, None)
    scene.fill(ligament + 0.005, ligament + 0.02 + 0.2 * wedge, MENISCUS)
    scene.bone(np.where(x < gap - width, femur, np.inf))
    scene.bone(np.where(x > gap + width, tibia, np.inf))


def femoral(scene: Scene) -> None:
    """The groove of the femur with its dark band of cartilage, crosswise, knee bent."""
    x, draw = scene.x, scene.anatomy
    scene.skin()
    centre = draw.normal(0.5, 0.04)
    groove = draw.uniform(0.05, 0.14) * np.exp(-(((x - centre) / draw.uniform(0.13, 0.2)) ** 2))
    flanks = 1.1 * np.clip(np.abs(x - centre) - 0.32, 0, None) ** 2
    bone = draw.uniform(0.36, 0.46) + groove + flanks
    cartilage = bone - draw.uniform(0.03, 0.065) * (1 - 0.5 * np.clip(np.abs(x - centre) / 0.5, 0, 1))
    scene.fibres(scene.patient.fat, cartilage, MUSCLE, strands=8)
    scene.blob(centre, 0.22, draw.uniform(0.2, 0.3), draw.uniform(0.04, 0.06), TENDON)
    scene.fill(cartilage - 0.03, cartilage, FAT)
    scene.fill(cartilage, bone, CARTILAGE)
    scene.interface(cartilage, 0.5)
    scene.bone(bone)


def elbow(scene: Scene) -> None:
    """Round capitellum and the square head of the radius under the brachialis muscle."""
    x, draw = scene.x, scene.anatomy
    scene.skin()
    gap = draw.normal(0.55, 0.04)
    radius = draw.uniform(0.2, 0.27)
    top = draw.uniform(0.38, 0.48)
    capitellum = _dome(x, gap - radius - 0.01, radius, top)
    shaft = top + 0.1 + 0.02 * np.sin(8 * x)
    humerus = np.where(x < gap - 1.7 * radius, shaft, capitellum)
    head = top + draw.uniform(0.0, 0.05) + 0.02 * (x - gap) + 0.1 / (1 + np.exp(-(x - gap - 0.24) / 0.02))
    scene.fibres(scene.patient.fat, np.minimum(np.minimum(humerus, head), 0.6), MUSCLE, strands=12)
    scene.fill(capitellum - 0.03, capitellum, CARTILAGE)
    scene.bone(humerus)
    scene.bone(np.where(x > gap + 0.03, head, np.inf))


def ankle(scene: Scene) -> None:
    """The tibia running flat to its edge, the dome of the talus beyond a recess, a tendon just below the skin."""
    x, draw = scene.x, scene.anatomy
    scene.skin()
    gap = draw.normal(0.45, 0.04)
    level = draw.uniform(0.27, 0.35)
    tibia = level + draw.uniform(0.04, 0.12) * (x - gap) + 0.9 * np.clip(x - gap + 0.08, 0, None) ** 2
    talus = _dome(x, gap + draw.uniform(0.27, 0.33), draw.uniform(0.22, 0.28), level + draw.uniform(0.05, 0.1))
    bone = np.where(x < gap, tibia, np.where(np.isfinite(talus), talus, 0.65))
    scene.fibres(scene.patient.fat, scene.patient.fat + 0.07, TENDON, strands=5)
    scene.fill(scene.patient.fat + 0.07, bone, FAT)
    scene.fill(talus - 0.025, talus, CARTILAGE)
    scene.blob(gap + 0.04, level + 0.03, 0.06, 0.035, FLUID)
    scene.bone(np.where(x < gap, tibia, np.inf))
    scene.bone(np.where(x > gap + 0.04, talus, np.inf))


def shoulder(scene: Scene) -> None:
    """The large round head of the humerus under deltoid and supraspinatus, the acromion to one side."""
    x, draw = scene.x, scene.anatomy
    scene.skin()
    head = _dome(x, draw.uniform(0.5, 0.62), draw.uniform(0.4, 0.5), draw.uniform(0.32, 0.42))
    tendon = head - draw.uniform(0.07, 0.1)
    scene.fibres(scene.patient.fat, np.minimum(tendon, 1), MUSCLE, strands=10)
    scene.fibres(tendon, head, TENDON, strands=6, contrast=0.4)
    scene.interface(tendon, 0.4)
    scene.bone(head)
    if draw.random() < 0.6:
        scene.bone(np.where(x < draw.uniform(0.12, 0.22), 0.2 + 0.5 * x, np.inf))


def wrist(scene: Scene) -> None:
    """A row of small round bones under thin tendons."""
    x, draw = scene.x, scene.anatomy
    scene.skin()
    level = draw.uniform(0.24, 0.34)
    edges = np.cumsum(draw.uniform(0.16, 0.3, 8)) - 0.5
    bones = np.full_like(x, np.inf)
    for left, right in pairwise(edges):
        half = (right - left) / 2 - 0.012
        bones = np.minimum(bones, _dome(x, (left + right) / 2, half, level + draw.normal(0, 0.02), flat=0.35))
    scene.fibres(scene.patient.fat, level - 0.03, TENDON, strands=4)
    scene.fill(level - 0.03, 0.6, FAT)
    scene.bone(bones)


def hip(scene: Scene) -> None:
    """Head and neck of the femur, deep under muscle."""
    x, draw = scene.x, scene.anatomy
    scene.skin()
    head = _dome(x, draw.uniform(0.25, 0.35), draw.uniform(0.26, 0.33), draw.uniform(0.48, 0.56))
    neck = 0.68 - 0.1 * np.clip(x - 0.55, 0, 1)
    bone = np.where(np.isfinite(head) & (head < 0.68), head, neck)
    scene.fibres(scene.patient.fat, bone - 0.04, MUSCLE, strands=14)
    scene.fibres(bone - 0.04, bone, TENDON, strands=3)
    scene.bone(bone)


SECTIONS: dict[str, Anatomy] = {"SQR": suprapatellar, "Medial": medial, "Lateral": lateral, "Femoral": femoral}
JOINTS: dict[str, tuple[Anatomy, ...]] = {
    "Knee": tuple(SECTIONS.values()),
    "Elbow": (elbow,),
    "Ankle": (ankle,),
    "Other": (shoulder, wrist, hip),
}


def draw_section(
    section: str, patient: Examination, hand: np.random.Generator, size: tuple[int, int]
) -> npt.NDArray[np.uint8]:
    """One image of a standard section of the knee.

    Args:
        section: key of `SECTIONS`.
        patient: whose knee; the same patient and section give the same tissue.
        hand: draws how the probe is held.
        size: height and width in pixels.

    Returns:
        (H, W) uint8.
    """
    return _draw(SECTIONS[section], list(SECTIONS).index(section), patient, hand, size)


def draw_joint(
    joint: str, patient: Examination, hand: np.random.Generator, size: tuple[int, int]
) -> npt.NDArray[np.uint8]:
    """One image of a joint; which view of it, the patient decides. Arguments as of `draw_section`."""
    views = JOINTS[joint]
    number = list(JOINTS).index(joint)
    return _draw(views[patient.seed % len(views)], 10 + number, patient, hand, size)


def _draw(
    anatomy: Anatomy, view: int, patient: Examination, hand: np.random.Generator, size: tuple[int, int]
) -> npt.NDArray[np.uint8]:
    scene = Scene(*size, patient, view, hand)
    anatomy(scene)
    return scan(scene, hand)


def _dome(x: Array, centre: float, radius: float, top: float, flat: float = 1.0) -> Array:
    """The upper half of a circle or, with `flat` below 1, of an ellipse; infinite beside it."""
    inside = 1 - ((x - centre) / radius) ** 2
    return np.where(inside > 0, top + flat * radius * (1 - np.sqrt(np.clip(inside, 0, None))), np.inf)
