"""Ultrasound of lungs and of infants' hips."""

from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt

from medvision.phantoms.ultrasound import (
    CARTILAGE,
    FAT,
    FLUID,
    MUSCLE,
    TENDON,
    Array,
    Examination,
    Scene,
    scan,
    sector,
    smooth_noise,
)

Lung = Callable[[Scene, Array, np.random.Generator], None]


def regular(scene: Scene, pleura: Array, breath: np.random.Generator) -> None:
    """A smooth pleura and its repetitions, the A-lines."""
    for number in (2, 3, 4):
        scene.interface(number * pleura - 0.04 * (number - 1), 0.12 / number, 0.012)
    if scene.anatomy.random() < 0.4:
        _b_lines(scene, pleura, breath, 1, 0.5)


def covid(scene: Scene, pleura: Array, breath: np.random.Generator) -> None:
    """An irregular pleura and rays from it to the bottom, the B-lines."""
    _b_lines(scene, pleura, breath, int(scene.anatomy.integers(2, 6)), 1.0)
    for _ in range(int(scene.anatomy.integers(0, 4))):
        x = scene.anatomy.uniform(0.2, 0.8)
        scene.blob(x, float(pleura.mean()) + 0.02, scene.anatomy.uniform(0.02, 0.05), 0.03, FLUID)


def pneumonia(scene: Scene, pleura: Array, breath: np.random.Generator) -> None:
    """A consolidation: tissue like liver below the pleura, with bright bubbles of air."""
    draw = scene.anatomy
    centre, depth, width = draw.uniform(0.3, 0.7), draw.uniform(0.15, 0.45), draw.uniform(0.18, 0.4)
    inside = np.clip(1 - ((scene.x - centre) / width) ** 2, 0, None)
    bottom = pleura + depth * np.sqrt(inside) * (1 + 0.02 * breath.normal())
    scene.fill(pleura, bottom, MUSCLE)
    for _ in range(int(draw.integers(3, 12))):
        x = centre + width * draw.uniform(-0.7, 0.7)
        scene.blob(x, float(pleura.mean()) + depth * draw.uniform(0.2, 0.7), 0.012, 0.012, 2 * TENDON)
    scene.interface(np.where(inside > 0, bottom, np.inf), 0.4, 0.015)
    _b_lines(scene, bottom, breath, int(draw.integers(0, 3)), 0.7)


def viral(scene: Scene, pleura: Array, breath: np.random.Generator) -> None:
    """A few B-lines from a smooth pleura."""
    _b_lines(scene, pleura, breath, int(scene.anatomy.integers(1, 4)), 0.8)


LUNGS: dict[str, Lung] = {"covid": covid, "pneumonia": pneumonia, "regular": regular, "viral": viral}


def _b_lines(scene: Scene, pleura: Array, breath: np.random.Generator, number: int, strength: float) -> None:
    """Rays that slide with the pleura from frame to frame."""
    slide = breath.normal(0, 0.015)
    start = scene.place(pleura)
    for _ in range(number):
        x = scene.anatomy.uniform(0.1, 0.9) + slide
        width = scene.anatomy.uniform(0.01, 0.05)
        ray = np.exp(-(((scene.x - x) / width) ** 2)) * (scene.row > start)
        scene.scatter += (0.12 * strength * scene.anatomy.uniform(0.5, 1.2) * ray).astype(np.float32)


def draw_lung(
    finding: str, patient: Examination, video: int, breath: np.random.Generator, size: int, convex: bool
) -> npt.NDArray[np.uint8]:
    """A frame of a video of the lung.

    Args:
        finding: key of `LUNGS`.
        patient: who is examined.
        video: number of the video of this patient.
        breath: draws what moves from frame to frame.
        size: height and width in pixels.
        convex: a fan, as a curved probe sees it.

    Returns:
        (size, size) uint8.
    """
    scene = Scene(size, size, patient, video, breath)
    draw = scene.anatomy
    rough = 0.004 if finding in ("regular", "viral") else draw.uniform(0.003, 0.011)
    pleura = draw.uniform(0.2, 0.27) + 0.05 * (scene.x - 0.5) ** 2 + rough * smooth_noise(draw, size, 24)
    scene.skin()
    scene.fibres(patient.fat, pleura, MUSCLE, strands=7)
    scene.fill(pleura, 9.0, FAT * 0.12)
    LUNGS[finding](scene, pleura, breath)
    scene.interface(pleura, 2.0, 0.008)
    spacing, first = draw.uniform(0.5, 0.8), draw.uniform(-0.1, 0.25)
    for rib in (first, first + spacing):
        arch = pleura - 0.07 + 12 * (scene.x - rib) ** 2
        scene.bone(np.where(np.abs(scene.x - rib) < 0.065, arch, np.inf), 1.5, leak=0.08)
    image = scan(scene, breath)
    return sector(image, opening=draw.uniform(55, 75)) if convex else image


def draw_infant_hip(standard: bool, patient: Examination, size: int) -> npt.NDArray[np.uint8]:
    """The hip of an infant in the coronal plane.

    Args:
        standard: straight iliac bone, round head, the lower limb of the ilium visible; otherwise one of them fails.
        patient: whose hip.
        size: height and width in pixels.

    Returns:
        (size, size, 3) uint8, grey as colour.
    """
    hand = np.random.default_rng(patient.seed + 1)
    scene = Scene(size, size, patient, 0, hand)
    x, draw = scene.x, scene.anatomy
    fault = "" if standard else str(draw.choice(["tilted", "no head", "no lower limb", "tilted and no lower limb"]))
    scene.skin()
    edge, level = draw.uniform(0.42, 0.5), draw.uniform(0.36, 0.42)
    slope = draw.choice([-1, 1]) * draw.uniform(0.25, 0.45) if "tilted" in fault else draw.normal(0, 0.04)
    ilium = level + slope * (x - edge)
    scene.fibres(patient.fat, level - 0.05, MUSCLE, strands=10)
    scene.fibres(level - 0.05, 0.62, FAT, strands=6, contrast=0.3)
    if fault != "no head":
        scene.blob(edge + 0.2, level + 0.12, 0.17, 0.16, 0.25 * MUSCLE)
        scene.blob(edge + 0.2, level + 0.14, 0.05, 0.05, MUSCLE)
        scene.blob(edge + 0.04, level + 0.02, 0.04, 0.025, TENDON)
    else:
        scene.blob(edge + 0.25, level + 0.1, 0.05, 0.06, CARTILAGE)
    roof = level + 0.04 + 0.9 * (x - edge) + 0.3 * (x - edge) ** 2
    if "no lower limb" not in fault:
        scene.bone(np.where((x > edge + 0.01) & (x < edge + 0.17), roof + 0.05, np.inf), 1.8, leak=0.1)
    scene.bone(np.where(x < edge, ilium, np.inf))
    return np.asarray(cv2.cvtColor(scan(scene, hand), cv2.COLOR_GRAY2RGB), dtype=np.uint8)
