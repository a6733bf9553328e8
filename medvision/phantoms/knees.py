"""Radiographs of knees, from front to back, with osteoarthritis by the signs of Kellgren and Lawrence."""

import cv2
import numpy as np
import numpy.typing as npt

from medvision.phantoms.radiograph import Exposure, Film, Points, expose, turn_points

# Joint space, osteophytes and sclerosis at the grades KL0 to KL4, and how far patients of one grade differ.
JOINT_SPACE = (0.062, 0.056, 0.048, 0.03, 0.01)
OSTEOPHYTE = (0.0, 0.008, 0.016, 0.026, 0.04)
SCLEROSIS = (0.0, 0.0, 0.05, 0.2, 0.45)


def draw_knee(
    grade: int, right: bool, patient: Exposure, hand: np.random.Generator, size: int = 224
) -> npt.NDArray[np.uint8]:
    """One knee.

    Args:
        grade: of Kellgren and Lawrence, 0 to 4.
        right: the right knee; the fibula lies on the left of the image.
        patient: whose knee; both knees share bones and exposure.
        hand: draws how the leg lies.
        size: height and width in pixels.

    Returns:
        (size, size) uint8.
    """
    draw = np.random.default_rng([patient.seed, int(right)])
    scale = np.random.default_rng([patient.seed, 9]).normal(1, 0.05)
    space = max(0.004, JOINT_SPACE[grade] + draw.normal(0, 0.009))
    spur = max(0.0, OSTEOPHYTE[grade] + draw.normal(0, 0.005))
    line = 0.5 + draw.normal(0, 0.02) + hand.normal(0, 0.01)
    centre = 0.5 + draw.normal(0, 0.02)
    turn = 0.4 * patient.turn + draw.normal(0, 2) + hand.normal(0, 1)

    def place(points: Points) -> Points:
        points = (points - [centre, line]) * scale + [centre, line]
        points = np.column_stack([points[:, 0] if not right else 2 * centre - points[:, 0], points[:, 1]])
        return turn_points(points * size, turn, (size / 2, size / 2))

    film = Film(size, size, patient)
    film.tissue(place(_leg(centre, 0.36 + 0.12 * patient.soft)), thickness=1.3, edge=0.09 * size)
    # Medial narrowing comes first: medial is at low x before mirroring.
    femur, tibia = _femur(centre, line, spur, 0.4 * space), _tibia(centre, line + space, spur, 0.55 * space)
    film.bone(*map(place, femur), cortex=0.011 * size)
    film.bone(place(_fibula(centre, line + space)), cortex=0.009 * size, density=0.8)
    film.bone(*map(place, tibia), cortex=0.011 * size)
    patella = _ellipse(centre + draw.normal(0, 0.01), line - 0.17, 0.1, 0.11)
    film.bone(place(patella), cortex=0.009 * size, density=0.35)
    dense = SCLEROSIS[grade] * draw.uniform(0.6, 1.3)
    area = film.mask(place(_ellipse(centre - 0.13, line + 0.5 * space, 0.13, 0.05 + 0.5 * space)))
    sclerosis = cv2.GaussianBlur(area.astype(np.float32), (0, 0), 0.015 * size) * np.minimum(film.hard, 1)
    film.hard += (dense * sclerosis).astype(np.float32)
    return expose(film, hand)


def _ellipse(x: float, y: float, width: float, height: float) -> Points:
    angle = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    return np.column_stack([x + width * np.cos(angle), y + height * np.sin(angle)])


def _leg(centre: float, half: float) -> Points:
    along = np.linspace(-0.2, 1.2, 30)
    width = half * (1 - 0.12 * np.exp(-(((along - 0.55) / 0.15) ** 2)))
    left, right = np.column_stack([centre - width, along]), np.column_stack([centre + width, along])
    return np.concatenate([left, right[::-1]])


def _femur(centre: float, line: float, spur: float, tilt: float) -> list[Points]:
    """Shaft and two condyles above the joint line; `tilt` lowers the medial side."""
    along = np.linspace(-0.1, line - 0.1, 30)
    half = 0.115 + 0.15 / (1 + np.exp(-(along - line + 0.2) / 0.04))
    shaft = np.concatenate([np.column_stack([centre - half, along]), np.column_stack([centre + half, along])[::-1]])
    medial = _ellipse(centre - 0.135, line - 0.105 + 0.5 * tilt, 0.135, 0.105 + 0.5 * tilt)
    lateral = _ellipse(centre + 0.135, line - 0.11, 0.13, 0.105)
    notch = np.array([[centre - 0.13, line - 0.12], [centre + 0.13, line - 0.12], [centre, line - 0.07]])
    return [shaft, medial, lateral, notch, *_spurs(centre, line - 0.03, 0.262, spur)]


def _tibia(centre: float, line: float, spur: float, tilt: float) -> list[Points]:
    """Plateau with its two spines, metaphysis and shaft; `tilt` raises the medial side."""
    along = np.linspace(0, 1.1 - line, 40)
    half = 0.115 + 0.155 * np.exp(-along / 0.11)
    corner = np.clip(along / 0.02, 0, 1) ** 0.3
    half = half * (0.94 + 0.06 * corner)
    left = np.column_stack([centre - half, line + along - tilt * np.exp(-along / 0.05)])
    right = np.column_stack([centre + half, line + along])
    top = np.array(
        [[centre + 0.06, line], [centre + 0.03, line - 0.035], [centre, line - 0.008],
         [centre - 0.03, line - 0.04], [centre - 0.06, line - 0.4 * tilt]]
    )  # fmt: skip
    return [np.concatenate([left, right[::-1], top]), *_spurs(centre, line + 0.025, 0.262, spur)]


def _fibula(centre: float, line: float) -> Points:
    along = np.linspace(0, 1.0 - line, 24)
    half = 0.035 + 0.025 * np.exp(-along / 0.05)
    half = half * np.clip(along / 0.02, 0.3, 1)
    middle = centre + 0.235 - 0.06 * along
    left = np.column_stack([middle - half, line + 0.1 + along])
    return np.concatenate([left, np.column_stack([middle + half, line + 0.1 + along])[::-1]])


def _spurs(centre: float, y: float, half: float, spur: float) -> list[Points]:
    """Osteophytes at both margins of a joint surface."""
    if spur < 0.004:
        return []
    return [
        np.array(
            [[centre + side * (half - 0.03), y - 0.025], [centre + side * (half + spur), y],
             [centre + side * (half - 0.03), y + 0.025]]
        )
        for side in (-1, 1)
    ]  # fmt: skip
