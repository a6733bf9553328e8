"""How a probe sees tissue: layers that scatter, surfaces that reflect and cast shadows, speckle, log compression."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.floating]
Curve = Array | float
"""Depth at each column, as a fraction of the image's height; infinite where there is nothing."""

# Backscattered amplitude of tissues, relative to each other as in B-mode images.
FLUID, CARTILAGE, MUSCLE, FAT, TENDON, MENISCUS = 0.002, 0.006, 0.06, 0.08, 0.3, 0.22
MARGIN = 16
SAME_SPECKLE = 0.6


@dataclass(frozen=True)
class Examination:
    """What all ultrasound images of a patient share.

    Args:
        gain: in dB.
        dynamic_range: in dB.
        attenuation: dB lost from the top of the image to its bottom, after time-gain compensation.
        noise: amplitude of the receiver's noise.
        grain: size of speckle in pixels.
        zoom: how much deeper everything lies than in the mean patient.
        fat: thickness of the subcutaneous fat, as a fraction of the depth.
        wobble: how far layers depart from their mean shape.
        seed: of the texture of the patient's tissue.
    """

    gain: float
    dynamic_range: float
    attenuation: float
    noise: float
    grain: float
    zoom: float
    fat: float
    wobble: float
    seed: int


def draw_examination(generator: np.random.Generator) -> Examination:
    """A random patient, examined with settings of the day."""
    return Examination(
        gain=generator.normal(-10, 4),
        dynamic_range=generator.uniform(48, 66),
        attenuation=generator.uniform(6, 28),
        noise=10 ** generator.uniform(-3.6, -2.5),
        grain=generator.uniform(0.8, 1.7),
        zoom=generator.uniform(0.82, 1.2),
        fat=generator.uniform(0.04, 0.15),
        wobble=generator.uniform(0.3, 1.0),
        seed=int(generator.integers(2**31)),
    )


class Scene:
    """Tissue under a probe. Depths are fractions of the height, columns `x` run from 0 to 1 over the mean image.

    Args:
        height: of the image in pixels.
        width: of the image in pixels.
        patient: whose tissue it is.
        view: number of the view of that patient; the same number gives the same tissue.
        hand: draws how the probe is held, which differs from image to image.
    """

    def __init__(self, height: int, width: int, patient: Examination, view: int, hand: np.random.Generator) -> None:
        self.patient, self.height, self.width = patient, height, width
        self.anatomy = np.random.default_rng([patient.seed, view])
        column = np.linspace(0, 1, width)
        self.x = (column - 0.5) * self.anatomy.uniform(0.82, 1.2) + 0.5
        self.x += self.anatomy.normal(0, 0.07) + hand.normal(0, 0.012)
        self.row = (np.arange(height, dtype=np.float32)[:, None] + 0.5) / height
        tilt = self.anatomy.normal(0, 0.09) + hand.normal(0, 0.025)
        self._offset = tilt * (column - 0.5) + 0.018 * patient.wobble * smooth_noise(self.anatomy, width, 5)
        self.scatter = np.full((height, width), MUSCLE, dtype=np.float32)
        self.reflection = np.zeros((height, width), dtype=np.float32)
        self.transmission = np.ones((height, width), dtype=np.float32)

    def place(self, curve: Curve) -> Array:
        """A curve of the mean patient where it lies in this image, (W,)."""
        depth = np.broadcast_to(np.asarray(curve, dtype=np.float64), (self.width,)) * self.patient.zoom
        # The skin stays at the probe.
        return np.asarray(depth + self._offset * np.clip(depth / 0.2, 0, 1))

    def fill(self, top: Curve, bottom: Curve, level: float) -> None:
        """Homogeneous tissue between two curves."""
        self.scatter[self.region(top, bottom)] = level

    def fibres(self, top: Curve, bottom: Curve, level: float, strands: int, contrast: float = 0.8) -> None:
        """Tissue of strands that run along its borders: tendon, ligament, muscle, septa in fat."""
        upper, lower = self.place(top), self.place(bottom)
        inside = self.region(top, bottom)
        upper, lower = (np.where(np.isfinite(line), line, 9) for line in (upper, lower))
        share = (self.row - upper) / np.maximum(lower - upper, 1e-3)
        strand = share * strands + 0.6 * smooth_noise(self.anatomy, self.width, 6)
        profile = self.anatomy.normal(0, contrast, 4 * strands + 8)
        position = np.clip(strand, 0, strands + 4)[inside] * 2
        low = position.astype(np.int64)
        bent = profile[low] + (profile[low + 1] - profile[low]) * (position - low)
        self.scatter[inside] = level * np.exp(bent)

    def bone(self, surface: Curve, strength: float = 2.5, thickness: float = 0.008, leak: float = 0.02) -> None:
        """A bright line with a shadow below, brightest where the sound meets it at a right angle."""
        line = self.place(surface)
        self.interface(surface, strength, thickness)
        below = self.row - np.where(np.isfinite(line), line, 9)
        self.transmission *= np.where(below > 0, leak + (1 - leak) * np.exp(-below / 0.015), 1).astype(np.float32)
        echo = np.exp(-(((self.row - 2 * np.where(np.isfinite(line), line, 9)) / 0.02) ** 2))
        self.reflection += (0.02 * strength / leak * 0.15 * echo).astype(np.float32)

    def interface(self, surface: Curve, strength: float, thickness: float = 0.005) -> None:
        """A bright line that lets the sound through."""
        line = self.place(surface)
        there = np.isfinite(line)
        line = np.where(there, line, 9)
        slope = np.clip(np.gradient(line) * self.height, -4, 4)
        at_angle = np.where(there, 1 / (1 + slope**2) ** 1.5, 0)
        uneven = np.exp(0.35 * smooth_noise(self.anatomy, self.width, 12))
        profile = np.exp(-(((self.row - line) / thickness) ** 2))
        self.reflection += (strength * at_angle * uneven * profile).astype(np.float32)

    def blob(self, x: float, depth: float, width: float, height: float, level: float) -> None:
        """An ellipse of homogeneous tissue; `width` and `height` are its half axes."""
        across, down = self.around(x, depth)
        self.scatter[(across / width) ** 2 + (down / height) ** 2 < 1] = level

    def around(self, x: float, depth: float) -> tuple[Array, Array]:
        """How far every pixel lies from a point of the mean patient: to the right, (W,), and below, (H, W)."""
        centre = self.place(np.interp(self.x, [0, 1], [depth, depth]))
        return self.x - x, (self.row - centre) / self.patient.zoom

    def skin(self) -> None:
        """Skin and the fat below it; anatomies begin underneath, at `patient.fat`."""
        self.fibres(0, self.patient.fat, FAT, strands=4, contrast=0.5)
        self.interface(0.012, 0.6, 0.008)
        self.interface(self.patient.fat, 0.25, 0.004)

    def region(self, top: Curve, bottom: Curve) -> npt.NDArray[np.bool_]:
        """The pixels between two curves, (H, W) bool."""
        return np.asarray((self.row >= self.place(top)) & (self.row < self.place(bottom)))


def scan(scene: Scene, hand: np.random.Generator) -> npt.NDArray[np.uint8]:
    """The B-mode image of a scene.

    Args:
        scene: tissue.
        hand: draws what differs between two images of one view.

    Returns:
        (H, W) uint8, the probe at the top.
    """
    patient, shape = scene.patient, (scene.height, scene.width)
    texture = np.random.default_rng([patient.seed, int(scene.anatomy.integers(2**31))])
    cloud = texture.standard_normal((6, 8)).astype(np.float32)
    scatter = scene.scatter * np.exp(0.5 * cv2.resize(cloud, shape[::-1], interpolation=cv2.INTER_CUBIC))
    field = texture.standard_normal((shape[0] + MARGIN, shape[1] + MARGIN, 2), dtype=np.float32)
    down, right = hand.integers(0, MARGIN, 2)
    field = field[down : down + shape[0], right : right + shape[1]]
    fresh = hand.standard_normal((*shape, 2), dtype=np.float32)
    speckle = _rayleigh(np.sqrt(SAME_SPECKLE) * field + np.sqrt(1 - SAME_SPECKLE) * fresh, patient.grain)
    # The beam is wider than a column, so that shadows have soft sides.
    beam = cv2.blur(cv2.blur(scene.transmission, (7, 1)), (5, 1))
    amplitude = (scatter * speckle + scene.reflection * (0.6 + 0.4 * speckle)) * beam
    amplitude = cv2.GaussianBlur(amplitude, (0, 0), sigmaX=0.9, sigmaY=0.5) + patient.noise * np.abs(fresh[..., 0])
    gain = patient.gain + hand.normal(0, 0.8)
    decibel = 20 * np.log10(amplitude + 1e-6) + gain - patient.attenuation * (scene.row - 0.3)
    return np.asarray((decibel / patient.dynamic_range + 1).clip(0, 1) * 255, dtype=np.uint8)


def sector(image: npt.NDArray[np.uint8], opening: float = 70, radius: float = 0.35) -> npt.NDArray[np.uint8]:
    """Beams of a curved probe in their true places: a fan on black.

    Args:
        image: (H, W) uint8, a beam a column.
        opening: angle between the outer beams, in degrees.
        radius: of the probe, as a fraction of the depth.

    Returns:
        (H, W) uint8.
    """
    height, width = image.shape
    half, top, scale = _fan(height, opening, radius)
    across = ((np.arange(width, dtype=np.float32) - width / 2 + 0.5) * scale)[None, :]
    down = ((np.arange(height, dtype=np.float32) + 0.5) * scale + top)[:, None]
    depth = np.hypot(across, down) - radius
    beam = np.arctan2(across, down) / (2 * half) + 0.5
    columns, rows = (beam * (width - 1)).astype(np.float32), (depth * (height - 1)).astype(np.float32)
    return np.asarray(cv2.remap(image, columns, rows, cv2.INTER_LINEAR, borderValue=0), dtype=np.uint8)


def sector_positions(shape: tuple[int, int], opening: float = 70, radius: float = 0.35) -> tuple[Array, Array]:
    """Where `sector` shows the samples of its beams.

    Args:
        shape: height and width of the image, which holds a beam a column.
        opening: angle between the outer beams, in degrees.
        radius: of the probe, as a fraction of the depth.

    Returns:
        Column and row in the fan, each (H, W), in pixels between pixel centres; some lie outside.
    """
    height, width = shape
    half, top, scale = _fan(height, opening, radius)
    angle = (np.arange(width) / (width - 1) - 0.5) * 2 * half
    reach = (np.arange(height) / (height - 1) + radius)[:, None]
    return reach * np.sin(angle) / scale + width / 2 - 0.5, (reach * np.cos(angle) - top) / scale - 0.5


def _fan(height: int, opening: float, radius: float) -> tuple[np.float64, np.float64, np.float64]:
    """Half the angle of a fan, the depth of its upper border below the centre of the probe, the side of a pixel."""
    half = np.deg2rad(np.float64(opening) / 2)
    top = radius * np.cos(half)
    return half, top, (1 + radius - top) / height


def smooth_noise(generator: np.random.Generator, length: int, knots: int) -> Array:
    """A smooth random curve of about unit variance, (length,)."""
    values = generator.standard_normal((1, knots + 3)).astype(np.float32)
    curve = cv2.resize(values, (length, 1), interpolation=cv2.INTER_CUBIC)[0]
    return np.asarray(curve, dtype=np.float64)


def _rayleigh(field: npt.NDArray[np.float32], grain: float) -> npt.NDArray[np.float32]:
    """The magnitude of complex noise that the pulse has blurred, (H, W) float32 with mean 1."""
    blurred = cv2.GaussianBlur(field, (0, 0), sigmaX=1.5 * grain, sigmaY=0.7 * grain)
    magnitude = cv2.magnitude(blurred[..., 0], blurred[..., 1])
    return np.asarray(magnitude / magnitude.mean(), dtype=np.float32)
