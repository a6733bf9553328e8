"""Skin, fat and muscle in ultrasound: strands that move with the tissue and not with the pixels."""

import cv2
import numpy as np
import numpy.typing as npt

from medvision.phantoms.ultrasound import FAT, MUSCLE, TENDON, Array, Curve, Scene

TILE = 96


def streaks(generator: np.random.Generator, along: Array, across: Array, length: float, spacing: float) -> Array:
    """Random streaks, drawn out along one direction.

    Args:
        generator: draws them.
        along: coordinate of every pixel in the direction of the streaks, (H, W).
        across: coordinate of every pixel at a right angle to it, (H, W), in the same unit.
        length: of the streaks.
        spacing: from streak to streak, roughly.

    Returns:
        (H, W) float64, positive in the streaks and negative between them, of about unit variance.
    """
    tile = generator.standard_normal((TILE, TILE)).astype(np.float32)
    # Streaks that all begin in one column would show the grid.
    uneven = across / spacing
    columns = (along / length + 3 * np.sin(0.7 * uneven)) % TILE
    sampled = cv2.remap(
        tile,
        columns.astype(np.float32),
        (uneven % TILE).astype(np.float32),
        cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_WRAP,
    )
    return np.asarray(1.25 * sampled, dtype=np.float64)


def turned(across: Array, down: Array, degrees: float | Array) -> tuple[Array, Array]:
    """Coordinates along and across a direction that falls to the right by an angle, each (H, W)."""
    angle = np.deg2rad(degrees)
    return across * np.cos(angle) + down * np.sin(angle), down * np.cos(angle) - across * np.sin(angle)


def strands(texture: Array, sparse: float, strength: float) -> npt.NDArray[np.float32]:
    """How much brighter bright strands are than what lies between them.

    Args:
        texture: from `streaks`.
        sparse: how many of them are bright: about a sixth at 1, a fortieth at 2.
        strength: of the brightest.

    Returns:
        (H, W) float32, 1 between the strands.
    """
    return np.asarray(1 + strength * np.clip(texture - sparse, 0, 2), dtype=np.float32)


def coordinates(scene: Scene, top: Curve) -> tuple[Array, Array]:
    """Distances from the left border and from a curve, both in fractions of the image's height, each (H, W)."""
    down = (scene.row - scene.place(top)) / scene.patient.zoom
    return np.broadcast_to(scene.x * scene.width / scene.height, down.shape), down


def paint_skin(scene: Scene, bottom: float) -> None:
    """A bright band below the probe."""
    scene.fibres(0, bottom, 0.6 * TENDON, strands=2, contrast=0.25)
    scene.interface(0.006, 1.0, 0.006)
    scene.interface(bottom, 0.35, 0.004)


def paint_fat(scene: Scene, top: Curve, bottom: Curve) -> None:
    """Dark lobules between bright septa, most of them parallel to the skin."""
    draw, inside = scene.anatomy, scene.region(top, bottom)
    across, down = coordinates(scene, top)
    level = 0.32 * FAT * np.exp(draw.normal(0, 0.4))
    bend = down + 0.02 * np.sin(across * draw.uniform(4, 9) + draw.uniform(0, 6))
    texture = np.ones(inside.shape, dtype=np.float32)
    for degrees, length, sparse in ((0, 0.4, 1.0), (18, 0.18, 1.4), (-20, 0.18, 1.4)):
        line = streaks(draw, *turned(across, bend, degrees + draw.normal(0, 4)), length, 0.022)
        texture = texture * strands(line, sparse, draw.uniform(2.5, 5))
    scene.scatter[inside] = (level * texture)[inside]


def paint_muscle(scene: Scene, top: Curve, bottom: Curve, level: float, *, lengthwise: bool) -> None:
    """One belly of a muscle.

    Args:
        scene: where.
        top: its upper border.
        bottom: its lower border.
        level: amplitude between the strands; about 0.7 of `ultrasound.MUSCLE`.
        lengthwise: seen along its fibres, as oblique lines; otherwise across them, as short dashes.
    """
    draw, inside = scene.anatomy, scene.region(top, bottom)
    across, down = coordinates(scene, top)
    angle = draw.choice([-1, 1]) * draw.uniform(6, 20) if lengthwise else draw.normal(0, 8)
    length, spacing = (0.35, 0.013) if lengthwise else (0.035, 0.011)
    line = streaks(draw, *turned(across, down, angle), length, spacing)
    texture = strands(line, 0.4 if lengthwise else 1.0, draw.uniform(0.9, 2.0) if lengthwise else draw.uniform(2, 4))
    coarse = streaks(draw, *turned(across, down, angle), 2 * length, 3.5 * spacing)
    scene.scatter[inside] = (level * texture * strands(coarse, 1.0, 1.5))[inside]


def muscle_level(draw: np.random.Generator) -> float:
    """The amplitude of a muscle between its strands; it differs between patients as much as that of fat."""
    return float(0.7 * MUSCLE * np.exp(draw.normal(0, 0.4)))
