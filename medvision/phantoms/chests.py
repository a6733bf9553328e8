"""Radiographs of children's chests, clear or with pneumonia."""

import cv2
import numpy as np
import numpy.typing as npt

from medvision.phantoms.radiograph import Exposure, Film, Points, expose, turn_points

RIBS = 9


def draw_chest(
    finding: str, patient: Exposure, hand: np.random.Generator, size: tuple[int, int]
) -> npt.NDArray[np.uint8]:
    """One chest from the front.

    Args:
        finding: `normal`, `bacteria` (a dense lobe) or `virus` (streaks through both lungs).
        patient: whose chest.
        hand: draws how the child lies.
        size: height and width in pixels.

    Returns:
        (H, W) uint8.
    """
    height, width = size
    draw = np.random.default_rng(patient.seed)
    lift, turn = draw.normal(0, 0.02) + hand.normal(0, 0.01), 0.4 * patient.turn + hand.normal(0, 1)
    wide = draw.uniform(0.9, 1.08)

    def place(points: Points) -> Points:
        points = (points - 0.5) * [wide, 1] + [0.5, 0.5 + lift]
        return turn_points(points * [width, height], turn, (width / 2, height / 2))

    film = Film(height, width, patient)
    film.tissue(place(_oval(0.5, 0.62, 0.47, 0.75, power=3.5)), thickness=2.6, edge=0.12 * height)
    lungs = film.mask(place(_oval(0.3, 0.46, 0.165, 0.36, 2.6)), place(_oval(0.7, 0.46, 0.165, 0.36, 2.6)))
    diaphragm = film.mask(place(_oval(0.3, 0.95, 0.25, 0.23)), place(_oval(0.7, 0.98, 0.25, 0.23)))
    heart = film.mask(place(_oval(0.57, 0.66, draw.uniform(0.12, 0.17), 0.2)), place(_oval(0.5, 0.4, 0.06, 0.35)))
    blur = 0.012 * height
    air = cv2.GaussianBlur((lungs & ~diaphragm & 1).astype(np.float32), (0, 0), blur)
    film.soft *= 1 - 0.78 * air * (1 - 0.75 * cv2.GaussianBlur(heart.astype(np.float32), (0, 0), blur))
    film.soft += 0.25 * patient.soft * air * _vessels(draw, size)
    film.soft += patient.soft * air * _opacity(finding, draw, size)
    film.bone(place(_oval(0.5, 0.5, 0.035, 0.7, 6)), cortex=0.008 * height, density=0.5)
    for side in (-1, 1):
        film.bone(place(_strip(0.5 + side * 0.04, 0.16, 0.5 + side * 0.36, 0.1, 0.016)), cortex=2, density=0.5)
        for number in range(RIBS):
            film.bone(place(_rib(side, 0.12 + 0.078 * number)), cortex=1.5, density=0.22)
    return expose(film, hand)


def _oval(x: float, y: float, width: float, height: float, power: float = 2) -> Points:
    angle = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    round_off = 2 / power
    cosine, sine = np.cos(angle), np.sin(angle)
    across, down = np.sign(cosine) * np.abs(cosine) ** round_off, np.sign(sine) * np.abs(sine) ** round_off
    return np.column_stack([x + width * across, y + height * down])


def _strip(x0: float, y0: float, x1: float, y1: float, half: float) -> Points:
    return np.array([[x0, y0 - half], [x1, y1 - half], [x1, y1 + half], [x0, y0 + half]])


def _rib(side: int, y: float) -> Points:
    along = np.linspace(0, 1, 16)
    reach = 0.28 + 0.14 * min(1.0, y / 0.5)
    x = 0.5 + side * (0.04 + reach * along)
    drop = y - 0.03 * np.sin(np.pi * along) + 0.13 * along**2
    return np.concatenate([np.column_stack([x, drop - 0.011]), np.column_stack([x, drop + 0.011])[::-1]])


def _vessels(draw: np.random.Generator, size: tuple[int, int]) -> npt.NDArray[np.float32]:
    """Branching texture, strongest beside the heart."""
    fine = cv2.resize(draw.standard_normal((40, 40)).astype(np.float32), size[::-1], interpolation=cv2.INTER_CUBIC)
    column = np.linspace(-1, 1, size[1], dtype=np.float32)
    return np.asarray(np.clip(fine, 0, None) * np.exp(-2.5 * np.abs(column))[None, :] * 2, dtype=np.float32)


def _opacity(finding: str, draw: np.random.Generator, size: tuple[int, int]) -> npt.NDArray[np.float32]:
    """What pneumonia adds to the lungs, in thickness relative to the patient's soft tissue, (H, W) float32."""
    cloud = cv2.resize(draw.standard_normal((7, 8)).astype(np.float32), size[::-1], interpolation=cv2.INTER_CUBIC)
    streaks = cv2.resize(draw.standard_normal((28, 24)).astype(np.float32), size[::-1], interpolation=cv2.INTER_CUBIC)
    severity = draw.uniform(0.25, 1.1)
    if finding == "normal":
        return 0.12 * np.clip(cloud, 0, None)
    if finding == "virus":
        return np.asarray(severity * (0.5 * np.abs(streaks) + 0.35 * np.abs(cloud)), dtype=np.float32)
    row, column = np.linspace(0, 1, size[0])[:, None], np.linspace(0, 1, size[1])[None, :]
    x, y = 0.5 + draw.choice([-1, 1]) * draw.uniform(0.14, 0.24), draw.uniform(0.3, 0.72)
    lobe = np.exp(-(((column - x) / 0.12) ** 2 + ((row - y) / draw.uniform(0.1, 0.2)) ** 2))
    return np.asarray(severity * 1.9 * lobe * (1 + 0.3 * cloud), dtype=np.float32)
