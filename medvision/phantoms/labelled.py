"""Simulated data sets with a `labels.csv` beside a folder `images`; their writers are as those of `layouts`."""

import shutil
from pathlib import Path

import numpy as np

from medvision.phantoms.chests import draw_chest
from medvision.phantoms.files import MARK, write_csv, write_image
from medvision.phantoms.knees import draw_knee
from medvision.phantoms.layouts import BODY_PARTS, FILM, patient_generator
from medvision.phantoms.limbs import draw_limb
from medvision.phantoms.organs import draw_infant_hip, draw_lung
from medvision.phantoms.radiograph import draw_exposure
from medvision.phantoms.ultrasound import draw_examination

Row = dict[str, object]

# Patients of the real sets by class, roughly: of 25 lungs two are viral; of ten knees four are healthy.
LUNG_CYCLE = (
    *("regular", "covid", "pneumonia", "regular", "pneumonia", "regular", "covid", "regular", "pneumonia", "viral"),
    *("regular", "covid", "pneumonia", "regular", "pneumonia", "covid", "regular", "pneumonia", "covid", "regular"),
    *("pneumonia", "regular", "viral", "covid", "pneumonia"),
)
KNEE_CYCLE = (0, 3, 2, 0, 4, 1, 0, 3, 2, 0)
LUNG_SIZE, CHEST_SIZE, HIP_SIZE = 240, (256, 320), 256
REASONS = ("poor labrum display", "poor femoral head display", "tilted ilium")


def write_table(folder: Path, seed: int, patients: int, images: int) -> None:
    """Limbs with a label normal or abnormal, and columns for several labels at once: fracture, implant."""
    rows: list[Row] = []
    for number in range(patients):
        hand = patient_generator(seed, number)
        patient = draw_exposure(hand)
        findings = ((), ("fracture",), (), ("implant",), ("fracture", "implant"), ("fracture",))[number % 6]
        part = BODY_PARTS[int(hand.integers(len(BODY_PARTS)))]
        sex, age = ("F", "M")[int(hand.integers(2))], int(hand.integers(18, 91))
        for n in range(1, images + 1):
            name = f"images/p{number:03d}_{n}.png"
            write_image(folder / name, draw_limb(part, findings, patient, 1, hand, FILM))
            row: Row = {"image": name, "label": "abnormal" if findings else "normal", "patient": f"p{number:03d}"}
            row |= {"study": f"p{number:03d}-1", "fracture": int("fracture" in findings)}
            rows.append(row | {"implant": int("implant" in findings), "body_part": part, "sex": sex, "age": age})
    write_csv(folder / "labels.csv", rows)


def write_knee_xray(folder: Path, seed: int, patients: int, images: int) -> None:
    """One image of each knee, KL grades 0 to 4; the grades of both knees are alike."""
    rows: list[Row] = []
    for number in range(patients):
        hand = patient_generator(seed, number)
        patient, identity = draw_exposure(hand), f"{9000001 + number}"
        grade = KNEE_CYCLE[number % len(KNEE_CYCLE)]
        for side in ("L", "R")[:images]:
            other = int(np.clip(grade + hand.choice([-1, 0, 0, 0, 1]), 0, 4)) if side == "R" else grade
            name = f"images/{identity}{side}.png"
            write_image(folder / name, draw_knee(other, side == "R", patient, hand))
            row: Row = {"image": name, "label": f"KL{other}", "kl_grade": other}
            rows.append(row | {"patient": identity, "side": side, "original_split": "train"})
    write_csv(folder / "labels.csv", rows)


def write_lung_us(folder: Path, seed: int, patients: int, images: int) -> None:
    """Frames of videos, one or two videos a patient; `images` frames a video."""
    rows: list[Row] = []
    video = 0
    for number in range(patients):
        hand = patient_generator(seed, number)
        patient, label = draw_examination(hand), LUNG_CYCLE[number % len(LUNG_CYCLE)]
        for clip in range(2 if number % 3 == 0 else 1):
            video += 1
            probe = "linear" if hand.random() < 0.2 else "convex"
            for frame in range(0, 15 * images, 15):
                name = f"images/v{video:03d}_f{frame:04d}.jpg"
                pixels = draw_lung(label, patient, clip, hand, LUNG_SIZE, convex=probe == "convex")
                write_image(folder / name, pixels)
                row: Row = {"image": name, "label": label, "patient": f"p{number:03d}", "video": f"v{video:03d}"}
                row |= {"kind": "video", "probe": probe, "frame": frame, "licence": "CC0", "source_file": "simulated"}
                rows.append(row | {"source_url": "", "changes": MARK})
    write_csv(folder / "labels.csv", rows)


def write_chest_xray(folder: Path, seed: int, patients: int, images: int) -> None:
    """Children's chests, normal or with pneumonia by bacteria or virus. All of one shape, unlike the real ones."""
    rows: list[Row] = []
    for number in range(patients):
        hand = patient_generator(seed, number)
        patient, subtype = draw_exposure(hand), ("normal", "bacteria", "normal", "virus", "bacteria")[number % 5]
        normal = subtype == "normal"
        for n in range(1, images + 1):
            stem = f"IM-{number:04d}-{n:04d}" if normal else f"person{number}_{subtype}_{n}"
            name = f"images/{subtype}_{stem}.jpg"
            write_image(folder / name, draw_chest(subtype, patient, hand, CHEST_SIZE))
            row: Row = {"image": name, "label": "normal" if normal else "pneumonia", "subtype": subtype}
            row |= {"patient": f"n{number:04d}" if normal else f"k{number}", "original_size": "320x256"}
            rows.append(row | {"original_mode": "L", "source_file": f"{stem}.jpeg"})
    write_csv(folder / "labels.csv", rows)


def write_hip_us(folder: Path, seed: int, patients: int, images: int) -> None:
    """Infants' hips, standard plane or not, one image each; as in the real set, standard_1 is a copy of standard_0."""
    rows: list[Row] = []
    for label in ("standard", "substandard"):
        for number in range((patients + (label == "standard")) // 2):
            hand = patient_generator(seed, 2 * number + (label == "standard"))
            name = f"images/{label}_{number}.png"
            if label == "standard" and number == 1:
                shutil.copyfile(folder / "images/standard_0.png", folder / name)
            else:
                write_image(folder / name, draw_infant_hip(label == "standard", draw_examination(hand), HIP_SIZE))
            reason = "" if label == "standard" else REASONS[number % len(REASONS)]
            rows.append({"image": name, "label": label, "reason": reason})
    write_csv(folder / "labels.csv", rows)
