"""Ultrasound of the layers of a limb or the belly: skin, fat, muscle and what lies below, with an exact mask."""

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
)
from medvision.phantoms.ultrasound import (
    FAT,
    FLUID,
    MUSCLE,
    Array,
    Examination,
    Scene,
    scan,
    smooth_noise,
)

REST, FAT_CLASS, MUSCLE_CLASS = 0, 1, 2
VIEW = 20
Mask = npt.NDArray[np.uint8]


def draw_tissue(
    patient: Examination, hand: np.random.Generator, size: tuple[int, int]
) -> tuple[npt.NDArray[np.uint8], Mask]:
    """One image of the layers below the skin.

    Fat reaches from the skin to the middle of the fascia, muscle from there to the middle of the deep fascia or to the
    bone. Their brightness overlaps; what tells them apart is how their strands run and what lies above.

    Args:
        patient: whose tissue; how thick fat and muscle are depends on it.
        hand: draws how the probe is held and pressed.
        size: height and width in pixels.

    Returns:
        Image and mask, each (H, W) uint8; the mask holds 0 rest, 1 fat, 2 muscle.
    """
    scene = Scene(*size, patient, VIEW, hand)
    draw, x = scene.anatomy, scene.x
    press = hand.normal(1, 0.04)
    skin = draw.uniform(0.03, 0.05)
    # The image shows as much of the depth as the patient's zoom leaves.
    fat = draw.uniform(0.06, 0.34) * press
    muscle = draw.uniform(0.2, 0.42) * hand.normal(1, 0.02)
    muscle = min(muscle, 0.86 / patient.zoom - skin - fat)
    fascia = skin + fat + 0.25 * draw.uniform(0, 0.5) * (x - draw.uniform(0.3, 0.7)) ** 2 + _wave(scene, 0.006)
    deep = fascia + muscle * (1 - draw.uniform(0, 0.8) * (x - draw.uniform(0.2, 0.8)) ** 2) + _wave(scene, 0.007)
    mask = np.zeros(size, dtype=np.uint8)
    mask[scene.region(skin, fascia)] = FAT_CLASS
    mask[scene.region(fascia, deep)] = MUSCLE_CLASS

    paint_skin(scene, skin)
    paint_fat(scene, skin, fascia)
    if draw.random() < 0.5:
        share = draw.uniform(0.4, 0.7)
        scene.interface(skin + share * (fascia - skin) + _wave(scene, 0.006), 0.35, 0.005)
    _muscle(scene, fascia, deep)
    scene.interface(fascia, draw.uniform(0.5, 1.2), draw.uniform(0.005, 0.009))
    _below(scene, deep, mask)
    if draw.random() < 0.4:
        _vessel(scene, fascia, deep, mask)
    if hand.random() < 0.3:
        _lift(scene, hand)
    return scan(scene, hand), mask


def _wave(scene: Scene, height: float) -> Array:
    return height * scene.patient.wobble * smooth_noise(scene.anatomy, scene.width, 7)


def _muscle(scene: Scene, top: Array, bottom: Array) -> None:
    """One muscle or two, seen along their fibres or across them."""
    draw = scene.anatomy
    lengthwise = draw.random() < 0.6
    level = muscle_level(draw)
    if draw.random() < 0.4:
        paint_muscle(scene, top, bottom, level, lengthwise=lengthwise)
        return
    middle = top + draw.uniform(0.4, 0.65) * (bottom - top) + _wave(scene, 0.006)
    paint_muscle(scene, top, middle, level, lengthwise=lengthwise)
    paint_muscle(scene, middle, bottom, level * np.exp(draw.normal(0, 0.25)), lengthwise=lengthwise)
    scene.interface(middle, draw.uniform(0.3, 0.8), 0.006)


def _below(scene: Scene, deep: Array, mask: Mask) -> None:
    """What lies below the muscle: bone with its shadow, gas of the bowel, or an organ."""
    draw = scene.anatomy
    kind = draw.choice(["bone", "bone", "gas", "organ"])
    scene.fill(deep, np.inf, 0.5 * MUSCLE)
    scene.interface(deep, draw.uniform(0.5, 1.0), 0.007)
    if kind == "bone":
        centre, half = draw.uniform(0.3, 0.7), draw.uniform(0.25, 0.6)
        surface = deep + 0.015 + 0.12 * ((scene.x - centre) / half) ** 2
        scene.bone(np.where(np.abs(scene.x - centre) < 1.3 * half, surface, np.inf), draw.uniform(1.2, 2.5), leak=0.03)
        across, down = coordinates(scene, deep)
        grain = strands(streaks(draw, across, down, 0.1, 0.02), 0.8, 1.5)
        below = scene.region(deep, np.inf)
        scene.scatter[below] = (0.5 * FAT * grain)[below]
    elif kind == "gas":
        for number in range(1, 4):
            scene.interface(deep + 0.05 * number + 0.01 * smooth_noise(draw, scene.width, 9), 0.9 / number, 0.012)
        scene.fill(deep + 0.05, np.inf, 0.25 * FAT)
    else:
        scene.fill(deep + 0.02, np.inf, 0.9 * MUSCLE)
        for _ in range(int(draw.integers(2, 5))):
            scene.blob(draw.uniform(0, 1), float(deep.mean()) + draw.uniform(0.08, 0.3), 0.03, 0.02, FLUID)
    mask[scene.region(deep, np.inf)] = REST


def _vessel(scene: Scene, fascia: Array, deep: Array, mask: Mask) -> None:
    """A vein or artery between or in the muscles: neither fat nor muscle."""
    draw = scene.anatomy
    x = draw.uniform(0.2, 0.8)
    column = int(np.argmin(np.abs(scene.x - x)))
    depth = fascia[column] + draw.uniform(0.3, 0.8) * (deep[column] - fascia[column])
    across, down = scene.around(x, depth)
    width = draw.uniform(0.02, 0.04)
    height = width * draw.uniform(0.6, 1.0) * scene.width / scene.height
    inside = (across / width) ** 2 + (down / height) ** 2 < 1
    scene.scatter[inside] = FLUID
    scene.reflection[inside] = 0
    mask[inside] = REST


def _lift(scene: Scene, hand: np.random.Generator) -> None:
    """One side of the probe hardly touches the skin: a shadow from the top, which changes no tissue."""
    reach = hand.uniform(0.08, 0.22)
    column = np.linspace(0, 1, scene.width)[:: int(hand.choice([-1, 1]))]
    loss = 0.9 / (1 + np.exp((column - reach) / 0.02))
    scene.transmission *= (1 - loss)[None, :].astype(np.float32)
