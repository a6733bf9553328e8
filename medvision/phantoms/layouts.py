"""Simulated data sets in the folders of the real ones: class folders, MURA, MedMNIST.

Every writer takes a folder, a seed, the number of patients, and the images of each of their views. Patients are drawn
one by one from (seed, number): a larger set begins with the smaller one.
"""

from pathlib import Path
from typing import Any

import cv2
import numpy as np

from medvision.phantoms.chests import draw_chest
from medvision.phantoms.files import MARK, write_image
from medvision.phantoms.joints import JOINTS, SECTIONS, draw_joint, draw_section
from medvision.phantoms.limbs import draw_limb
from medvision.phantoms.radiograph import draw_exposure
from medvision.phantoms.ultrasound import draw_examination

SCREEN = (240, 320)
FILM = (256, 208)
THUMBNAIL = 28
BODY_PARTS = ("ELBOW", "FINGER", "FOREARM", "HAND", "HUMERUS", "SHOULDER", "WRIST")
ABNORMAL = (("fracture",), ("implant",), ("fracture",), ("fracture", "implant"))
VALID_EVERY = 5


def patient_generator(seed: int, patient: int) -> np.random.Generator:
    """The random numbers of one patient."""
    return np.random.default_rng([seed, patient])


def write_knee_sections(folder: Path, seed: int, patients: int, images: int) -> None:
    """`<section>/<patient>_<n>.png`: every patient in all four sections."""
    for number in range(patients):
        hand = patient_generator(seed, number)
        patient = draw_examination(hand)
        for section in SECTIONS:
            for n in range(1, images + 1):
                pixels = draw_section(section, patient, hand, SCREEN)
                write_image(folder / section / f"p{number:03d}_{n}.png", pixels)


def write_joint_ultrasound(folder: Path, seed: int, patients: int, images: int) -> None:
    """`<joint>/<patient>_<n>.png`: every patient with two of the joints."""
    joints = list(JOINTS)
    for number in range(patients):
        hand = patient_generator(seed, number)
        patient = draw_examination(hand)
        for joint in (joints[number % 4], joints[(number + 1 + number // 4 % 3) % 4]):
            for n in range(1, images + 1):
                pixels = draw_joint(joint, patient, hand, SCREEN)
                write_image(folder / joint / f"p{number:03d}_{n}.png", pixels)


def write_folder(folder: Path, seed: int, patients: int, images: int) -> None:
    """`<intact|broken>/<patient>_<n>.png`: radiographs of forearms."""
    for number in range(patients):
        hand = patient_generator(seed, number)
        patient = draw_exposure(hand)
        label, findings = (("intact", ()), ("broken", ("fracture",)))[number % 2]
        for n in range(1, images + 1):
            pixels = draw_limb("FOREARM", findings, patient, 1, hand, FILM)
            write_image(folder / label / f"p{number:03d}_{n}.png", pixels)


def write_mura(folder: Path, seed: int, patients: int, images: int) -> None:
    """MURA's folders and its four CSV files, in which paths begin with `MURA-v1.1/`."""
    lists: dict[str, list[str]] = {}
    for number in range(patients):
        hand = patient_generator(seed, number)
        patient = draw_exposure(hand)
        part = "valid" if number % VALID_EVERY == VALID_EVERY - 1 else "train"
        body_part = BODY_PARTS[int(hand.integers(len(BODY_PARTS)))]
        for study in range(1, 3 if number % 4 == 3 else 2):
            # Every other patient begins with an abnormal study; a second study is of the other kind.
            abnormal = (number + study) % 2 == 0
            findings = ABNORMAL[int(hand.integers(len(ABNORMAL)))] if abnormal else ()
            sign = "positive" if abnormal else "negative"
            place = f"{part}/XR_{body_part}/patient{number + 1:05d}/study{study}_{sign}"
            lists.setdefault(f"{part}_labeled_studies.csv", []).append(f"MURA-v1.1/{place}/,{int(abnormal)}")
            for n in range(1, images + 1):
                pixels = draw_limb(body_part, findings, patient, study, hand, FILM)
                write_image(folder / place / f"image{n}.png", pixels)
                lists.setdefault(f"{part}_image_paths.csv", []).append(f"MURA-v1.1/{place}/image{n}.png")
    for name, lines in lists.items():
        (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_medmnist(folder: Path, seed: int, patients: int, images: int) -> None:
    """`pneumoniamnist.npz`: chests of 28 pixels, and an array `SIMULATED` that says so."""
    drawn = {"train": list[np.ndarray](), "val": list[np.ndarray](), "test": list[np.ndarray]()}
    labels: dict[str, list[int]] = {name: [] for name in drawn}
    for number in range(patients):
        hand = patient_generator(seed, number)
        patient = draw_exposure(hand)
        label = number % 2
        # Pairs of both labels, of ten pairs seven for training, one for validation and two for the test.
        split = ("train", "test", "train", "val", "train", "train", "test", "train", "train", "train")[number // 2 % 10]
        finding = ("normal", ("bacteria", "virus")[number // 2 % 2])[label]
        for _ in range(images):
            pixels = draw_chest(finding, patient, hand, (112, 112))
            drawn[split].append(cv2.resize(pixels, (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA))
            labels[split].append(label)
    arrays: dict[str, Any] = {f"{split}_images": np.array(pixels, dtype=np.uint8) for split, pixels in drawn.items()}
    arrays |= {"SIMULATED": np.array(MARK)}
    arrays |= {f"{split}_labels": np.array(values, dtype=np.uint8)[:, None] for split, values in labels.items()}
    np.savez_compressed(folder / "pneumoniamnist.npz", **arrays)
