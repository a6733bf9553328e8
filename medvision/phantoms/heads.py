"""Ultrasound of fetal heads in the plane in which their circumference is measured, with an exact mask."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from medvision.phantoms.textures import streaks
from medvision.phantoms.ultrasound import (
    FAT,
    FLUID,
    MUSCLE,
    Array,
    Examination,
    Scene,
    scan,
    sector,
    sector_positions,
)

VIEW = 22
Mask = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Head:
    """A head in the image: an ellipse, in pixels between pixel centres.

    Args:
        x: column of the centre.
        y: row of the centre.
        long: half axis from front to back.
        short: half axis from side to side.
        angle: of the long axis to the rows, in degrees.
    """

    x: float
    y: float
    long: float
    short: float
    angle: float

    def place(self, column: Array, row: Array) -> tuple[Array, Array]:
        """Positions along and across the long axis, in half axes."""
        angle = np.deg2rad(self.angle)
        right, below = column - self.x, row - self.y
        along = (right * np.cos(angle) + below * np.sin(angle)) / self.long
        return along, (below * np.cos(angle) - right * np.sin(angle)) / self.short

    def mask(self, size: tuple[int, int]) -> Mask:
        """The pixels whose centres lie in the ellipse, (H, W) uint8 of 0 and 1."""
        row, column = np.mgrid[: size[0], : size[1]].astype(np.float64)
        return np.asarray(np.hypot(*self.place(column, row)) <= 1, dtype=np.uint8)

    @property
    def circumference(self) -> float:
        """In pixels, by Ramanujan's second approximation (Q. J. Math. 45:350, 1914)."""
        h = ((self.long - self.short) / (self.long + self.short)) ** 2
        return float(np.pi * (self.long + self.short) * (1 + 3 * h / (10 + np.sqrt(4 - 3 * h))))


def draw_outline(patient: Examination, hand: np.random.Generator, size: tuple[int, int]) -> Head:
    """Where the head of a patient's child lies in an image; its shape is the patient's, its place the hand's."""
    draw = np.random.default_rng([patient.seed, VIEW])
    height, width = size
    short = height * draw.uniform(0.26, 0.37) * hand.uniform(0.95, 1.03)
    long = short / draw.uniform(0.72, 0.86)
    return Head(
        x=width / 2 + width * hand.normal(0, 0.025),
        y=height * (0.53 + hand.normal(0, 0.015)),
        long=long,
        short=short,
        angle=draw.normal(0, 14) + hand.normal(0, 3),
    )


def draw_head(
    patient: Examination, head: Head, hand: np.random.Generator, size: tuple[int, int]
) -> npt.NDArray[np.uint8]:
    """The image of a head: a bright skull that fades where the sound passes along it, brain, and what lies around.

    Args:
        patient: the mother.
        head: where it lies; `Head.mask` of it is the mask.
        hand: draws how the probe is held.
        size: height and width in pixels.

    Returns:
        (H, W) uint8, a fan on black, at the left a grey scale, below at the right perhaps a rectangle without image.
    """
    height, width = size
    scene = Scene(height, width, replace(patient, attenuation=0.4 * patient.attenuation), VIEW, hand)
    draw = scene.anatomy
    opening = draw.uniform(60, 76)
    column, row = sector_positions(size, opening)
    along, across = head.place(column, row)
    reach = np.hypot(along, across)
    angle = np.arctan2(across, along)

    _womb(scene, reach, angle)
    _brain(scene, along, across, reach)
    _skull(scene, head, column, row, reach, opening)
    image = sector(scan(scene, hand), opening)
    first, last = int(0.04 * height), int(0.45 * height)
    image[first:last, 2:4] = np.linspace(250, 20, last - first).astype(np.uint8)[:, None]
    if draw.random() < 0.6:
        image[int(height * draw.uniform(0.78, 0.86)) :, int(width * draw.uniform(0.72, 0.78)) :] = 0
    return image


def _womb(scene: Scene, reach: Array, angle: Array) -> None:
    """The mother's belly and the wall of the womb at the top, placenta or wall below, water around the head."""
    draw = scene.anatomy
    scene.scatter[:] = MUSCLE * np.exp(draw.normal(0, 0.4))
    wall = draw.uniform(0.08, 0.16)
    scene.fibres(0, wall, FAT, strands=5, contrast=0.5)
    scene.interface(wall, 0.4, 0.006)
    # The water is wide on some sides of the head and absent on others.
    width = draw.uniform(0.02, 0.2) + draw.uniform(0.02, 0.3) * np.cos(angle - draw.uniform(0, 6.3))
    width = width + 0.04 * np.cos(3 * angle + draw.uniform(0, 6.3))
    scene.scatter[(reach < 1.06 + width) & (scene.row > wall)] = FLUID
    scalp = (reach >= 1) & (reach < 1.06)
    scene.scatter[scalp] = 0.5 * MUSCLE


def _brain(scene: Scene, along: Array, across: Array, reach: Array) -> None:
    """Dark hemispheres, midline with the cavum, thalami, a bright choroid plexus on either side."""
    draw = scene.anatomy
    front = draw.choice([-1, 1])
    level = MUSCLE * np.exp(draw.uniform(-2.2, -0.7))
    tissue = level * np.exp(0.35 * streaks(draw, along, across, 0.16, 0.09))
    scene.scatter[reach < 0.97] = tissue[reach < 0.97]
    along = along * front
    for side in (-1, 1):
        # The choroid plexus fills the ventricle of a young head and is small in an old one.
        size = draw.uniform(0.1, 0.28)
        plexus = np.hypot((along + 0.32) / (1.2 * size), (across - side * 0.36) / (0.75 * size))
        scene.scatter[(plexus < 1.5) & (reach < 0.9)] = 0.2 * level
        scene.scatter[plexus < 1] = level * draw.uniform(2, 5)
        thalamus = np.hypot((along - 0.02) / 0.2, (across - side * 0.14) / 0.12)
        scene.scatter[thalamus < 1] = 0.5 * level
        gyri = np.abs(across - side * (0.62 + 0.05 * np.sin(9 * along))) / 0.02
        scene.reflection += (0.06 * np.exp(-(gyri**2)) * (np.abs(along) < 0.5)).astype(np.float32)
    bend = across + 0.02 * np.sin(5 * along + draw.uniform(0, 6))
    cavum = (along > 0.3) & (along < 0.55)
    falx = np.exp(-((bend / 0.018) ** 2)) * (np.abs(along) < 0.93) * ~cavum * (np.abs(along) > 0.12)
    box = (np.exp(-(((np.abs(bend) - 0.07) / 0.016) ** 2)) * cavum) * 0.8
    uneven = np.exp(0.8 * streaks(draw, along, across, 0.08, 0.3))
    scene.reflection += (draw.uniform(0.05, 0.4) * (falx + box) * uneven).astype(np.float32)
    scene.scatter[cavum & (np.abs(bend) < 0.06)] = FLUID


def _skull(scene: Scene, head: Head, column: Array, row: Array, reach: Array, opening: float) -> None:
    """Bright where the beam meets it at a right angle; it weakens what lies below and hides what lies beside."""
    draw = scene.anatomy
    steps = np.gradient(column, axis=0), np.gradient(row, axis=0)
    length = np.hypot(*steps)
    slope = np.gradient(reach, axis=0) / length * head.short
    upright = np.clip(np.abs(slope), 0, 1)
    # One or two stretches of the skull are missing: sutures, shadows, the skull along the beam.
    angle = np.arctan2(row - head.y, column - head.x)
    gap = sum(
        np.exp(-((((angle - draw.uniform(-np.pi, np.pi) + np.pi) % (2 * np.pi) - np.pi) / draw.uniform(0.1, 0.3)) ** 2))
        for _ in range(int(draw.integers(1, 4)))
    )
    seen = 10 ** -(draw.uniform(0.8, 2.2) * (1 - upright) + draw.uniform(0.8, 2) * np.clip(gap, 0, 1))
    seen = seen * np.exp(0.4 * streaks(draw, angle, reach, 0.15, 0.2))
    thickness = draw.uniform(0.022, 0.045)
    ring = np.exp(-(((reach - 1 + thickness) / thickness) ** 2)) * (reach < 1.02)
    scene.reflection += (draw.uniform(0.8, 2.2) * seen * ring).astype(np.float32)
    entered = np.cumsum((np.abs(reach - 1 + thickness) < thickness) * (1 - upright), axis=0)
    beside = np.exp(-0.06 * draw.uniform(0.5, 1.5) * entered)
    through = np.where((np.cumsum(reach < 1, axis=0) > 0), draw.uniform(0.45, 0.85), 1.0)
    scene.transmission *= (through * beside).astype(np.float32)
