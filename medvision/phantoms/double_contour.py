"""Cartilage over bone in ultrasound, with and without the double contour sign of gout.

Urate on the surface of cartilage is a bright, irregular band, continuous or broken, as thick as the line of the bone
and parallel to it, with the dark cartilage in between. It is bright at every angle of the sound; the thin line that
normal cartilage may show is so only where the sound meets it at a right angle (Gutierrez et al., International
consensus for ultrasound lesions in gout, Rheumatology 54, 2015; Thiele and Schlesinger, Diagnosis of gout by
ultrasound, Rheumatology 46, 2007).
"""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from medvision.config.tiles import TileGrid
from medvision.data.tiles import tile_box
from medvision.phantoms.files import write_csv, write_image
from medvision.phantoms.layouts import SCREEN, patient_generator
from medvision.phantoms.ultrasound import (
    CARTILAGE,
    FAT,
    MUSCLE,
    TENDON,
    Array,
    Examination,
    Scene,
    draw_examination,
    scan,
    smooth_noise,
)

GRID = TileGrid(rows=2, columns=3)
# A patient with gout has the sign in every image, as in a study of one sign; of five patients two.
GOUT = (False, True, False, True, False)
URATE = 1
# Columns of a tile that the band crosses before the tile counts as positive.
LEAST_COLUMNS = 10


def draw_cartilage(
    gout: bool, patient: Examination, hand: np.random.Generator, size: tuple[int, int]
) -> tuple[npt.NDArray[np.uint8], Array]:
    """A knee from the front, bent and crosswise: bone with cartilage upon it.

    Args:
        gout: with urate on the cartilage.
        patient: whose knee; all images of a patient show the same place.
        hand: draws how the probe is held.
        size: height and width in pixels.

    Returns:
        (H, W) uint8, and (W,) float64: in which row the middle of the second bright line lies, nan where none is.
    """
    scene = Scene(*size, patient, 0, hand)
    x, draw = scene.x, scene.anatomy
    scene.skin()
    centre = draw.normal(0.5, 0.1)
    groove = draw.uniform(0.0, 0.16) * np.exp(-(((x - centre) / draw.uniform(0.13, 0.22)) ** 2))
    flanks = draw.uniform(0.6, 1.4) * np.clip(np.abs(x - centre) - draw.uniform(0.2, 0.32), 0, None) ** 2
    bone = draw.uniform(0.3, 0.62) + groove + flanks
    thickness = draw.uniform(0.05, 0.09) * (1 - 0.4 * np.clip(np.abs(x - centre) / 0.5, 0, 1))
    surface = bone - thickness
    scene.fibres(patient.fat, surface, MUSCLE, strands=8)
    scene.blob(centre, draw.uniform(0.16, 0.24), draw.uniform(0.2, 0.3), draw.uniform(0.03, 0.06), TENDON)
    scene.fill(surface - 0.03, surface, FAT)
    scene.fill(surface, bone, CARTILAGE)
    _right_angle_line(scene, surface, draw.uniform(0.1, 1.2))
    scene.bone(bone)
    line = _urate(scene, surface) if gout else np.full(size[1], np.nan)
    return scan(scene, hand), line


def _right_angle_line(scene: Scene, surface: Array, strength: float) -> None:
    """The thin line on normal cartilage, which fades where the sound meets it at another angle."""
    middle = scene.place(surface)
    slope = np.gradient(middle) * scene.height
    scene.reflection += _band(scene, middle, 0.004, strength * np.exp(-((slope / 0.09) ** 2)))


def _urate(scene: Scene, surface: Array) -> Array:
    """Crystals on cartilage: rows of the middle of the band, (W,), nan where there are none."""
    # Numbers of its own, so that the same knee without urate differs in nothing else.
    draw, width = np.random.default_rng([scene.patient.seed, URATE]), scene.width
    start, length = draw.uniform(0.05, 0.45), draw.uniform(0.4, 0.75)
    there = (scene.x > start) & (scene.x < start + length)
    there &= smooth_noise(draw, width, 10) > draw.uniform(-2.2, -1.1)
    half = 0.009 * np.exp(0.3 * smooth_noise(draw, width, 20))
    bright = draw.uniform(1.8, 3.0) * np.exp(0.45 * smooth_noise(draw, width, 45))
    middle = scene.place(surface) - 0.5 * half + 0.0035 * smooth_noise(draw, width, 30)
    scene.reflection += _band(scene, middle, half, np.where(there, bright, 0))
    # Some sound is lost in the crystals; the bone below still is bright.
    scene.transmission *= np.where(there & (scene.row > middle), 0.75, 1).astype(np.float32)
    return np.where(there, middle * scene.height, np.nan)


def _band(scene: Scene, middle: Array, half: Array | float, bright: Array) -> npt.NDArray[np.float32]:
    """A bright band along a line, (H, W), whatever the angle between them and the sound."""
    return np.asarray(bright * np.exp(-(((scene.row - middle) / half) ** 2)), dtype=np.float32)


def positive_tiles(line: Array, size: tuple[int, int], grid: TileGrid) -> npt.NDArray[np.bool_]:
    """Which tiles show the second bright line, (rows, columns) bool.

    Args:
        line: (W,) its row in pixels, nan where none is.
        size: height and width of the image in pixels.
        grid: how it is cut.
    """
    found = np.zeros((grid.rows, grid.columns), dtype=bool)
    for row, column in np.ndindex(found.shape):
        box = tile_box(*size, grid, row + 1, column + 1)
        part = line[box.left : box.left + box.width]
        found[row, column] = np.count_nonzero((part >= box.top) & (part < box.top + box.height)) >= LEAST_COLUMNS
    return found


def write_double_contour(folder: Path, seed: int, patients: int, images: int) -> None:
    """`<normal|double_contour>/<patient>_<n>.png`, and the truth of two rows of three tiles in `tiles.csv`."""
    rows: list[dict[str, object]] = []
    for number in range(patients):
        hand = patient_generator(seed, number)
        patient, gout = draw_examination(hand), GOUT[number % len(GOUT)]
        for n in range(1, images + 1):
            pixels, line = draw_cartilage(gout, patient, hand, SCREEN)
            name = f"{'double_contour' if gout else 'normal'}/p{number:03d}_{n}.png"
            write_image(folder / name, pixels)
            for (row, column), found in np.ndenumerate(positive_tiles(line, SCREEN, GRID)):
                label = "double_contour" if found else "normal"
                rows.append({"image": name, "row": row + 1, "column": column + 1, "label": label})
    write_csv(folder / "tiles.csv", rows)
