"""Radiographs of the upper limb, intact, broken, or with an implant."""

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from medvision.phantoms.radiograph import Exposure, Film, Points, collimate, expose, turn_points

SAMPLES = 40
LONG = 0.25


@dataclass(frozen=True)
class Bone:
    """A long bone from one end to the other, in fractions of the image; widths are half widths.

    Args:
        start: (x, y) of the upper end.
        end: (x, y) of the lower end.
        upper: half width at the upper end.
        shaft: half width in the middle.
        lower: half width at the lower end.
    """

    start: tuple[float, float]
    end: tuple[float, float]
    upper: float
    shaft: float
    lower: float


def skeleton(body_part: str, draw: np.random.Generator) -> list[Bone]:
    """The bones of one of MURA's seven body parts."""
    if body_part == "FINGER":
        return _ray(0.5, 1.0, 0.06, draw, lengths=(0.4, 0.28, 0.2))
    if body_part == "HAND":
        return [bone for k in range(5) for bone in _ray(0.14 + 0.18 * k, 0.98, 0.025, draw, tilt=0.05 * (k - 2))]
    if body_part == "WRIST":
        carpals = [
            Bone((0.3 + 0.13 * k, 0.4 + 0.09 * r), (0.32 + 0.13 * k, 0.47 + 0.09 * r), 0.055, 0.06, 0.055)
            for k in range(4)
            for r in range(2)
        ]
        rays = [Bone((0.24 + 0.16 * k, 0.0), (0.3 + 0.12 * k, 0.38), 0.03, 0.03, 0.045) for k in range(4)]
        forearm = [Bone((0.4, 0.58), (0.42, 1.1), 0.13, 0.07, 0.07), Bone((0.66, 0.6), (0.63, 1.1), 0.06, 0.045, 0.05)]
        return forearm + carpals + rays
    if body_part == "FOREARM":
        return [Bone((0.42, 0.04), (0.38, 0.94), 0.06, 0.05, 0.1), Bone((0.58, 0.0), (0.6, 0.94), 0.1, 0.045, 0.05)]
    if body_part == "HUMERUS":
        return [Bone((0.5, 0.06), (0.5, 0.95), 0.13, 0.07, 0.12)]
    if body_part == "ELBOW":
        bend = draw.uniform(-0.1, 0.35)
        return [
            Bone((0.5, -0.1), (0.5, 0.47), 0.08, 0.075, 0.16),
            Bone((0.42, 0.5), (0.38 + bend, 1.1), 0.075, 0.05, 0.05),
            Bone((0.6, 0.48), (0.58 + bend, 1.1), 0.085, 0.055, 0.05),
        ]
    return [  # SHOULDER
        Bone((0.6, 0.28), (0.72, 1.1), 0.15, 0.075, 0.08),
        Bone((0.05, 0.2), (0.6, 0.12), 0.045, 0.035, 0.05),
        Bone((0.42, 0.3), (0.3, 0.85), 0.09, 0.12, 0.03),
    ]


def _ray(
    x: float,
    bottom: float,
    width: float,
    draw: np.random.Generator,
    tilt: float = 0.0,
    lengths: tuple[float, ...] = (0.36, 0.22, 0.15, 0.1),
) -> list[Bone]:
    """Metacarpal and phalanges, from the bottom to the top."""
    bones = []
    for length in lengths:
        length *= draw.uniform(0.92, 1.0)
        top = bottom - length
        bones.append(Bone((x + tilt * length, top), (x, bottom - 0.012), width, 0.72 * width, 1.15 * width))
        x, bottom, width = x + tilt * length, top, 0.88 * width
    return bones


def outline(bone: Bone, share: tuple[float, float] = (0, 1), slant: float = 0.0) -> Points:
    """The outline of a bone or of a piece of it, (N, 2) in fractions of the image.

    Args:
        bone: which.
        share: from where to where along its axis; an end inside (0, 1) is cut off flat.
        slant: how far such a cut goes up one side and down the other, along the axis.
    """
    start, end = np.asarray(bone.start), np.asarray(bone.end)
    axis = end - start
    length = float(np.hypot(*axis))
    normal = np.array([-axis[1], axis[0]]) / length
    sides = []
    for side in (1, -1):
        first = share[0] + side * slant * (share[0] > 0)
        last = share[1] + side * slant * (share[1] < 1)
        along = np.linspace(first, last, SAMPLES)
        half = bone.shaft + (bone.upper - bone.shaft) * np.exp(-along / 0.13)
        half = half + (bone.lower - bone.shaft) * np.exp(-(1 - along) / 0.13)
        rounding = np.clip(np.minimum(along, 1 - along) * length / (0.8 * bone.shaft), 0, 1)
        half = half * (1 - (1 - rounding) ** 2.5) ** 0.4
        sides.append(start + along[:, None] * axis + side * half[:, None] * normal)
    return np.concatenate([sides[0], sides[1][::-1]])


def draw_limb(
    body_part: str,
    findings: Collection[str],
    patient: Exposure,
    study: int,
    hand: np.random.Generator,
    size: tuple[int, int],
) -> npt.NDArray[np.uint8]:
    """One radiograph of a study.

    Args:
        body_part: one of MURA's, in capitals.
        findings: any of `fracture` and `implant`, on the same bone.
        patient: whose limb.
        study: number of the study of this patient; the same number gives the same bones and findings.
        hand: draws how the limb lies, which differs from image to image.
        size: height and width in pixels.

    Returns:
        (H, W) uint8.
    """
    draw = np.random.default_rng([patient.seed, study])
    bones = [_vary(bone, draw) for bone in skeleton(body_part, draw)]
    long = [k for k, bone in enumerate(bones) if np.hypot(*np.subtract(bone.end, bone.start)) > LONG]
    affected = int(draw.choice(long))
    turn = patient.turn + draw.normal(0, 6) + hand.normal(0, 5)
    foreshortening = draw.uniform(0.85, 1.0) * hand.uniform(0.95, 1.0)
    shift = hand.normal(0, 0.015, 2)
    height, width = size

    def place(points: Points) -> Points:
        points = (points - 0.5) * [foreshortening, 1] + 0.5 + shift
        return turn_points(points * [width, height], turn, (width / 2, height / 2))

    film = Film(height, width, patient)
    film.tissue(*(place(_sleeve(bone, 0.05 + 0.08 * patient.soft)) for bone in bones), thickness=1.3)
    cortex = 0.0085 * height
    for number, bone in enumerate(bones):
        broken = number == affected and "fracture" in findings
        for piece in _fragments(bone, draw, hand) if broken else [outline(bone)]:
            film.bone(place(piece), cortex=cortex)
        if number == affected and "implant" in findings:
            film.metal(*(place(part) for part in _plate(bone, draw)))
    return collimate(expose(film, hand), hand)


def _vary(bone: Bone, draw: np.random.Generator) -> Bone:
    widths = bone.upper * draw.normal(1, 0.07), bone.shaft * draw.normal(1, 0.08), bone.lower * draw.normal(1, 0.07)
    start, end = (tuple(np.asarray(point) + draw.normal(0, 0.008, 2)) for point in (bone.start, bone.end))
    return replace(bone, start=start, end=end, upper=widths[0], shaft=widths[1], lower=widths[2])


def _sleeve(bone: Bone, around: float) -> Points:
    """The outline of the soft tissue around a bone, reaching over the joints at its ends."""
    start, end = np.asarray(bone.start), np.asarray(bone.end)
    along = (end - start) / np.hypot(*(end - start))
    normal = np.array([-along[1], along[0]])
    half = max(bone.upper, bone.shaft, bone.lower) + around
    angle = np.linspace(0, np.pi, SAMPLES // 2)[:, None]
    below = end + half * (np.cos(angle) * normal + 0.6 * np.sin(angle) * along)
    above = start - half * (np.cos(angle) * normal + 0.6 * np.sin(angle) * along)
    return np.concatenate([below, above])


def _fragments(bone: Bone, draw: np.random.Generator, hand: np.random.Generator) -> list[Points]:
    """The two pieces of a broken bone, out of line by more or less in each projection."""
    where, slant = draw.uniform(0.3, 0.7), draw.normal(0, 0.05)
    gap = draw.uniform(0.004, 0.018)
    seen = abs(np.cos(draw.uniform(0, np.pi / 3) + hand.normal(0, 0.4)))
    offset, bend = draw.normal(0, 0.5) * bone.shaft * seen, draw.normal(0, 9) * seen
    middle = np.asarray(bone.start) + where * np.subtract(bone.end, bone.start)
    lower = outline(bone, (where + gap, 1), slant) + np.array([offset, 0.0])
    return [outline(bone, (0, where - gap), slant), turn_points(lower, bend, (middle[0], middle[1]))]


def _plate(bone: Bone, draw: np.random.Generator) -> list[Points]:
    """A plate along one side of a bone, and its screws."""
    start, axis = np.asarray(bone.start), np.subtract(bone.end, bone.start)
    normal = np.array([-axis[1], axis[0]]) / np.hypot(*axis)
    first, last = draw.uniform(0.15, 0.3), draw.uniform(0.6, 0.85)
    side = draw.choice([-1, 1]) * draw.uniform(0.1, 0.8) * bone.shaft
    thick = 0.2 * bone.shaft + 0.004

    def strip(low: float, high: float, left: float, right: float) -> Points:
        corners = [(low, left), (high, left), (high, right), (low, right)]
        return np.array([start + along * axis + across * normal for along, across in corners])

    screws = np.linspace(first + 0.03, last - 0.03, int(draw.integers(3, 7)))
    reach = bone.shaft * 1.05
    return [
        strip(first, last, side - thick, side + thick),
        *(strip(along - 0.006, along + 0.006, -reach, reach) for along in screws),
    ]
