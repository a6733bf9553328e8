"""Ultrasound of nerves and vessels across their course, with an exact mask."""

import numpy as np
import numpy.typing as npt

from medvision.phantoms.textures import (
    coordinates,
    muscle_level,
    paint_fat,
    paint_muscle,
    paint_skin,
    strands,
    streaks,
    turned,
)
from medvision.phantoms.ultrasound import (
    FAT,
    FLUID,
    TENDON,
    Array,
    Examination,
    Scene,
    scan,
    smooth_noise,
)

BACKGROUND, NERVE, VESSEL = 0, 1, 2
VIEW = 21
Mask = npt.NDArray[np.uint8]


def draw_nerve(
    patient: Examination, hand: np.random.Generator, size: tuple[int, int], *, vessels: bool
) -> tuple[npt.NDArray[np.uint8], Mask]:
    """One image of nerves between muscles, as seen before a regional block.

    A nerve is a honeycomb: dark fascicles in bright tissue within a bright rim, which belongs to it. Of a vessel the
    mask shows the lumen. Tendons and dark gaps between muscle fibres are neither.

    Args:
        patient: whose nerves.
        hand: draws how the probe is held.
        size: height and width in pixels.
        vessels: whether vessels are in view.

    Returns:
        Image and mask, each (H, W) uint8; the mask holds 0 background, 1 nerve, 2 vessel. Above and below the image
        lies the black of the screen.
    """
    height, width = size
    depth = int(height * np.random.default_rng(patient.seed).uniform(0.66, 1))
    scene = Scene(depth, width, patient, VIEW, hand)
    mask = np.zeros((depth, width), dtype=np.uint8)
    draw = scene.anatomy
    places = _places(draw, _bed(scene))
    kinds = [_nerve] * int(draw.integers(1, 3)) + [_vessel] * (int(draw.integers(1, 3)) if vessels else 0)
    # Neighbours first: nerves and vessels run in bundles, tendons apart.
    bundle = [kinds[k] for k in draw.permutation(len(kinds))] + [_tendon] * int(draw.random() < 0.35)
    for paint in (_tendon, _nerve, _vessel):
        for kind, place in zip(bundle, places, strict=False):
            if kind is paint:
                paint(scene, mask, *place)
    image, whole = np.zeros(size, dtype=np.uint8), np.zeros(size, dtype=np.uint8)
    above = (height - depth) // 2
    image[above : above + depth], whole[above : above + depth] = scan(scene, hand), mask
    return image, whole


def _places(draw: np.random.Generator, level: float) -> list[tuple[float, float]]:
    """Five points along a fascia, neighbours of the first one first."""
    columns = np.linspace(0.16, 0.84, 5) + draw.normal(0, 0.015, 5)
    first = draw.uniform(0.5, 3.5)
    return [
        (float(columns[k]), float(level + draw.normal(0, 0.05))) for k in sorted(range(5), key=lambda k: abs(k - first))
    ]


def _bed(scene: Scene) -> float:
    """Skin, fat, muscles above and below a fascia, perhaps bone; gives the depth of the fascia."""
    draw, x = scene.anatomy, scene.x
    skin, fat, level = 0.03, draw.uniform(0.06, 0.16), draw.uniform(0.32, 0.5)
    fascia = level + draw.normal(0, 0.15) * (x - 0.5) + 0.012 * smooth_noise(draw, scene.width, 5)
    half = draw.uniform(0.02, 0.05)
    paint_skin(scene, skin)
    paint_fat(scene, skin, skin + fat)
    for top, bottom in ((skin + fat, fascia - half), (fascia + half, np.inf)):
        paint_muscle(scene, top, bottom, muscle_level(draw), lengthwise=draw.random() < 0.4)
        scene.interface(top, draw.uniform(0.3, 0.9), 0.006)
    across, down = coordinates(scene, fascia)
    between = scene.region(fascia - half, fascia + half)
    strand = strands(streaks(draw, *turned(across, down, 0), 0.15, 0.014), 0.6, 1.5)
    scene.scatter[between] = (0.9 * FAT * strand)[between]
    if draw.random() < 0.35:
        surface = draw.uniform(0.72, 0.85) + 1.5 * np.clip(np.abs(x - draw.uniform(0.2, 0.8)) - 0.1, 0, None) ** 2
        scene.bone(surface, draw.uniform(1.0, 2.0), leak=0.05)
    return level


def _ellipse(
    scene: Scene, x: float, depth: float, width: float, height: float, uneven: float
) -> tuple[Array, Array, Array]:
    """An ellipse with bumps: for every pixel the distance from its centre, 1 on its border, and the place.

    Args:
        scene: where.
        x: column of the centre.
        depth: of the centre.
        width: half axis, in fractions of the image's height.
        height: half axis, in the same unit.
        uneven: size of the bumps relative to the radius.

    Returns:
        Distance, place to the right and place below in fractions of the image's height, each (H, W).
    """
    draw = scene.anatomy
    across, down = scene.around(x, depth)
    right, below = turned(across * scene.width / scene.height, down, draw.normal(0, 15))
    angle = np.arctan2(below / height, right / width)
    bumps = sum(draw.normal(0, 1 / n) * np.cos(n * angle + draw.uniform(0, 6)) for n in (2, 3, 4))
    return np.hypot(right / width, below / height) / (1 + uneven * bumps), right, below


def _nerve(scene: Scene, mask: Mask, x: float, depth: float) -> None:
    """Fascicles in bright tissue within a rim."""
    draw = scene.anatomy
    width = draw.uniform(0.07, 0.13)
    height = width * draw.uniform(0.5, 0.95)
    distance, right, below = _ellipse(scene, x, depth, width, height, 0.06)
    inside = distance < 1
    level, dark = TENDON * draw.uniform(0.4, 0.9), draw.uniform(0.1, 0.35)
    tissue = np.where(distance > 0.82, 1.3 * level, 0.8 * level)
    spacing = height * draw.uniform(0.38, 0.7)
    for row in np.arange(-4, 5):
        for column in np.arange(-7, 8):
            centre = np.array([column + 0.5 * (row % 2), 0.87 * row]) * spacing + draw.normal(0, 0.08 * spacing, 2)
            radius = spacing * draw.uniform(0.3, 0.44)
            if np.hypot(centre[0] / (width - radius), centre[1] / (height - radius)) < 0.85:
                fascicle = (right - centre[0]) ** 2 + (below - centre[1]) ** 2 < radius**2
                tissue[fascicle & (distance < 0.86)] = dark * level
    scene.scatter[inside] = tissue[inside]
    scene.reflection[inside] = 0
    mask[inside] = NERVE


def _vessel(scene: Scene, mask: Mask, x: float, depth: float) -> None:
    """A round artery with a bright wall or a flat vein, and more sound in the tissue below."""
    draw = scene.anatomy
    artery = draw.random() < 0.6
    width = draw.uniform(0.05, 0.1)
    height = width * (draw.uniform(0.85, 1.0) if artery else draw.uniform(0.4, 0.75))
    distance, right, below = _ellipse(scene, x, depth, width, height, 0.02 if artery else 0.07)
    inside = distance < 1
    scene.scatter[inside] = FLUID * np.exp(draw.uniform(0, 2.3))
    scene.reflection[inside] = 0
    upright = np.abs(below / height) / np.maximum(distance, 0.1)
    wall = np.exp(-(((distance - 1.06) / 0.05) ** 2)) * (0.15 + 0.85 * upright**4)
    scene.reflection += (wall * (0.8 if artery else 0.25) * ~inside).astype(np.float32)
    behind = (below > 0) & ~inside & (np.abs(right) < 0.8 * width)
    scene.transmission[behind] *= draw.uniform(1.4, 2.2)
    mask[inside] = VESSEL


def _tendon(scene: Scene, mask: Mask, x: float, depth: float) -> None:
    """Bright like a nerve, but of fine dots and without a rim; not in the mask."""
    draw = scene.anatomy
    width = draw.uniform(0.04, 0.07)
    distance, right, below = _ellipse(scene, x, depth, width, 0.6 * width, 0.05)
    dots = strands(streaks(draw, right, below, 0.012, 0.007), 0.2, 0.8)
    inside = distance < 1
    scene.scatter[inside] = (TENDON * 0.5 * dots)[inside]
    mask[inside] = BACKGROUND
