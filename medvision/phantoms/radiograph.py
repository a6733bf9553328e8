"""How X-rays see bones: projected thickness of soft tissue, cortex and trabeculae, exposure, scatter, noise."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.floating]
SUBPIXEL_BITS = 4
METAL = 3.0


@dataclass(frozen=True)
class Exposure:
    """What all radiographs of a patient share.

    Args:
        penetration: how far the rays get through; low is bright.
        soft: thickness of the soft tissue around the bones.
        density: mineral content of the bones.
        noise: of the detector, relative to full scale.
        blur: in pixels.
        gamma: of the maker's curve.
        turn: of the limb on the detector, in degrees.
        seed: of the texture of the patient's bones.
    """

    penetration: float
    soft: float
    density: float
    noise: float
    blur: float
    gamma: float
    turn: float
    seed: int


def draw_exposure(generator: np.random.Generator) -> Exposure:
    """A random patient, exposed with settings of the day."""
    return Exposure(
        penetration=generator.uniform(0.75, 1.35),
        soft=generator.uniform(0.3, 0.6),
        density=generator.uniform(0.8, 1.25),
        noise=generator.uniform(0.008, 0.03),
        blur=generator.uniform(0.5, 1.1),
        gamma=generator.uniform(0.8, 1.25),
        turn=generator.normal(0, 7),
        seed=int(generator.integers(2**31)),
    )


class Film:
    """Thickness that the rays meet, seen from the tube.

    Args:
        height: in pixels.
        width: in pixels.
        patient: whose bones.
    """

    def __init__(self, height: int, width: int, patient: Exposure) -> None:
        self.shape, self.patient = (height, width), patient
        self.soft = np.zeros(self.shape, dtype=np.float32)
        self.hard = np.zeros(self.shape, dtype=np.float32)
        texture = np.random.default_rng(patient.seed).standard_normal((height, width), dtype=np.float32)
        self._trabeculae = cv2.GaussianBlur(texture, (0, 0), sigmaX=0.9, sigmaY=1.7)

    def mask(self, *polygons: Points) -> npt.NDArray[np.uint8]:
        """The union of polygons in pixels (x, y), (H, W) uint8 of 0 and 1."""
        inside = np.zeros(self.shape, dtype=np.uint8)
        for points in polygons:
            cv2.fillPoly(inside, [np.round(points * 2**SUBPIXEL_BITS).astype(np.int32)], 1, shift=SUBPIXEL_BITS)
        return inside

    def tissue(self, *polygons: Points, thickness: float = 1.0, edge: float = 12) -> None:
        """Soft tissue, thinner towards its outline."""
        distance = cv2.distanceTransform(self.mask(*polygons), cv2.DIST_L2, 3)
        self.soft += thickness * self.patient.soft * (1 - np.exp(-distance / edge))

    def bone(self, *polygons: Points, cortex: float = 2.0, density: float = 1.0) -> None:
        """A bone of cortex around spongy bone.

        Args:
            *polygons: outlines in pixels; overlapping ones are one bone.
            cortex: thickness of the cortex in pixels.
            density: relative to the patient's other bones.
        """
        distance = cv2.distanceTransform(self.mask(*polygons), cv2.DIST_L2, 3)
        body = 0.45 * (1 - np.exp(-distance / (2 * cortex))) * (1 + 0.22 * self._trabeculae)
        shell = 0.55 * np.exp(-(((distance - cortex) / cortex) ** 2)) * (distance > 0)
        self.hard += density * self.patient.density * (body + shell)

    def metal(self, *polygons: Points) -> None:
        """An implant."""
        self.hard += METAL * self.mask(*polygons)


def expose(film: Film, generator: np.random.Generator) -> npt.NDArray[np.uint8]:
    """The image of a film, bones bright.

    Args:
        film: what the rays met.
        generator: draws what differs between two images of one patient.

    Returns:
        (H, W) uint8.
    """
    patient = film.patient
    met = film.soft + cv2.GaussianBlur(film.soft, (0, 0), 6) * 0.15 + film.hard
    met = cv2.GaussianBlur(met, (0, 0), patient.blur)
    bright = 1 - np.exp(-met / (patient.penetration * generator.normal(1, 0.04)))
    bright = bright**patient.gamma + patient.noise * generator.standard_normal(film.shape, dtype=np.float32)
    return np.asarray((255 * (0.03 + 0.95 * bright)).clip(0, 255), dtype=np.uint8)


def collimate(image: npt.NDArray[np.uint8], generator: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Black outside the collimator, a turned rectangle, and a bright marker within.

    Args:
        image: (H, W) uint8.
        generator: draws the rectangle and the marker.
    """
    height, width = image.shape
    side = (width * generator.uniform(0.86, 1.05), height * generator.uniform(0.9, 1.05))
    corners = cv2.boxPoints(((width / 2, height / 2), side, generator.normal(0, 3)))
    inside = np.zeros_like(image)
    cv2.fillPoly(inside, [corners.astype(np.int32)], 255)
    place = (int(width * generator.uniform(0.08, 0.14)), int(height * generator.uniform(0.12, 0.2)))
    letter = "LR"[int(generator.integers(2))]
    marked = cv2.putText(image.copy(), letter, place, cv2.FONT_HERSHEY_SIMPLEX, 0.0028 * width, 235, 1 + width // 200)
    return np.asarray(cv2.bitwise_and(marked, inside), dtype=np.uint8)


def turn_points(points: Points, degrees: float, centre: tuple[float, float]) -> Points:
    """Points turned about a centre, (N, 2)."""
    angle = np.deg2rad(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.asarray((points - np.asarray(centre)) @ turn.T + np.asarray(centre))
