"""Simulated data sets with a mask for every image; their writers are as those of `layouts`."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from medvision.phantoms.files import MARK, write_csv, write_image, write_mask
from medvision.phantoms.heads import draw_head, draw_outline
from medvision.phantoms.labelled import Row
from medvision.phantoms.layouts import SCREEN, patient_generator
from medvision.phantoms.lungs import CLEAR, COVID, STANDING, SUPINE, draw_lungs
from medvision.phantoms.nerves import BACKGROUND, NERVE, draw_nerve
from medvision.phantoms.radiograph import draw_exposure
from medvision.phantoms.tissue import FAT_CLASS, draw_tissue
from medvision.phantoms.ultrasound import draw_examination

# Half of the real sizes, in grey and in colour, about as often as there.
NERVE_SIZES = (((256, 256), False), ((256, 267), True), ((256, 267), True), ((316, 380), True))
WITHOUT_VESSELS_EVERY = 8
COPY, COPIED = 77, 43
HEAD_SIZE = (270, 400)
CIRCUMFERENCES = (65.0, 330.0)
READING_ERROR = 1.0
FILM_CYCLE = ((COVID, SUPINE), (CLEAR, STANDING), (COVID, STANDING), (CLEAR, SUPINE), (COVID, SUPINE))
OVERLAY_EVERY = 10


def write_tissue_ultrasound(folder: Path, seed: int, patients: int, images: int) -> None:
    """`images/<patient>_<n>.png` and `masks/<patient>_<n>.png` with 0 rest, 1 fat, 2 muscle."""
    _write_tissue(folder, seed, patients, images, np.array([0, 1, 2], dtype=np.uint8))


def write_mask_folder(folder: Path, seed: int, patients: int, images: int) -> None:
    """`images/<patient>_<n>.png` and `masks/<patient>_<n>.png` with 0 and, for fat, 255."""
    _write_tissue(folder, seed, patients, images, np.where(np.arange(3) == FAT_CLASS, 255, 0).astype(np.uint8))


def _write_tissue(folder: Path, seed: int, patients: int, images: int, values: npt.NDArray[np.uint8]) -> None:
    """Images of tissue and masks with a value for each of the three classes."""
    for number in range(patients):
        hand = patient_generator(seed, number)
        patient = draw_examination(hand)
        for n in range(1, images + 1):
            pixels, mask = draw_tissue(patient, hand, SCREEN)
            write_image(folder / f"images/p{number:03d}_{n}.png", pixels)
            write_mask(folder / f"masks/p{number:03d}_{n}.png", values[mask])


def write_nerve_us(folder: Path, seed: int, patients: int, images: int) -> None:
    """One image each, no patients; masks with a palette. As in the real set, 0077 shows 0043 with another mask."""
    rows: list[Row] = []
    for number in range(patients):
        drawn = COPIED if number == COPY else number
        hand = patient_generator(seed, drawn)
        patient = draw_examination(hand)
        size, colour = NERVE_SIZES[int(hand.integers(len(NERVE_SIZES)))]
        vessels = drawn % WITHOUT_VESSELS_EVERY != WITHOUT_VESSELS_EVERY - 1
        pixels, mask = draw_nerve(patient, hand, size, vessels=vessels)
        if number == COPY:
            # Drawn by somebody else, who passed over the nerves.
            mask[mask == NERVE] = BACKGROUND
        row: Row = {"image": f"images/{number:04d}.png", "mask": f"masks/{number:04d}.png"}
        write_image(folder / str(row["image"]), np.stack([pixels] * 3, axis=-1) if colour else pixels)
        write_mask(folder / str(row["mask"]), mask, palette=True)
        rows.append(row)
    write_csv(folder / "labels.csv", rows)


def write_fetal_head_us(folder: Path, seed: int, patients: int, images: int) -> None:
    """Fetal heads with the size of a pixel and the circumference; every third patient is examined once only."""
    rows: list[Row] = []
    for number in range(patients):
        hand = patient_generator(seed, number)
        patient, circumference = draw_examination(hand), hand.uniform(*CIRCUMFERENCES)
        for n in range(1, 1 + (1 if number % 3 == 2 else images)):
            head = draw_outline(patient, hand, HEAD_SIZE)
            pixel = round(circumference * hand.normal(1, 0.01) / head.circumference, 6)
            exact = head.circumference * pixel
            name = f"{number:03d}_{'' if n == 1 else n}HC.png"
            write_image(folder / "images" / name, draw_head(patient, head, hand, HEAD_SIZE))
            write_mask(folder / "masks" / name, head.mask(HEAD_SIZE))
            row: Row = {"image": f"images/{name}", "mask": f"masks/{name}", "patient": f"h{number:03d}"}
            row |= {"pixel_size_mm": pixel, "head_circumference_mm": round(exact + hand.normal(0, READING_ERROR), 2)}
            rows.append(row | {"ellipse_circumference_mm": round(exact, 2)})
    write_csv(folder / "labels.csv", rows)


def write_lungs_xray(folder: Path, seed: int, patients: int, images: int) -> None:
    """Adults' chests, standing or lying, with and without COVID-19; some with an arrow or text over a lung."""
    rows: list[Row] = []
    for number in range(patients):
        hand = patient_generator(seed, number)
        patient, (finding, view) = draw_exposure(hand), FILM_CYCLE[number % len(FILM_CYCLE)]
        size = (288, int(hand.integers(264, 321)))
        for n in range(images):
            name = f"p{number:03d}_{n + 1}"
            overlay = number % OVERLAY_EVERY == OVERLAY_EVERY // 2 and n == 0
            pixels, mask = draw_lungs(finding, view, patient, hand, size, overlay=overlay)
            write_image(folder / f"images/{name}.jpg", pixels)
            write_mask(folder / f"masks/{name}.png", mask)
            row: Row = {"image": f"images/{name}.jpg", "mask": f"masks/{name}.png", "patient": f"c{number:03d}"}
            row |= {"finding": finding, "view": view, "licence": "CC0", "source_file": "simulated", "source_url": ""}
            rows.append(row | {"v7_id": len(rows), "changes": MARK})
    write_csv(folder / "labels.csv", rows)
