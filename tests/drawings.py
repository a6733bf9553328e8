"""Small drawn data sets for tests: seeded, learnable, a few kilobytes."""

from pathlib import Path

import cv2
import numpy as np
import pytest


def draw_folder(root: Path, patients: int = 18, images: int = 2, size: int = 32, classes: int = 2) -> Path:
    """Class folders `<class>/<patient>_<n>.png`: class k has k + 1 bright discs; patients differ in gain."""
    generator = np.random.default_rng(0)
    for label in range(classes):
        (root / f"class{label}").mkdir(parents=True)
        for patient in range(patients // classes):
            gain = generator.uniform(0.6, 1.0)
            for number in range(images):
                image = generator.normal(40, 10, (size, size))
                for _ in range(label + 1):
                    row, column = generator.integers(size // 4, 3 * size // 4, 2)
                    image = cv2.circle(image, (int(column), int(row)), size // 8, 200, -1)
                file = root / f"class{label}" / f"p{label}x{patient}_{number}.png"
                cv2.imwrite(str(file), (gain * image).clip(0, 255).astype(np.uint8))
    return root


def draw_masks(root: Path, patients: int = 18, images: int = 2, size: int = 32) -> Path:
    """`images/<patient>_<n>.png` and `masks/<patient>_<n>.png`: a disc (1) and, in most, a bar (2) on noise."""
    generator = np.random.default_rng(0)
    for folder in ("images", "masks"):
        (root / folder).mkdir(parents=True)
    for patient in range(patients):
        gain = generator.uniform(0.6, 1.0)
        for number in range(images):
            mask = np.zeros((size, size + 8), np.uint8)
            row, column = (int(value) for value in generator.integers(size // 4, 3 * size // 4, 2))
            cv2.circle(mask, (column, row), size // 6, 1, -1)
            if patient % 5:
                cv2.rectangle(mask, (size, 2), (size + 4, size - 3 - patient), 2, -1)
            image = np.array([40, 200, 120])[mask] + generator.normal(0, 10, mask.shape)
            name = f"p{patient}_{number}.png"
            cv2.imwrite(str(root / "images" / name), (gain * image).clip(0, 255).astype(np.uint8))
            cv2.imwrite(str(root / "masks" / name), mask)
    return root


def draw_dicom(path: Path, pixels: np.ndarray) -> None:
    """A DICOM file of grey pixels (H, W) uint8, of the patient Ann, 0.5 x 0.25 mm each."""
    pydicom = pytest.importorskip("pydicom", reason="the extra dicom")
    file = pydicom.Dataset()
    file.file_meta = pydicom.dataset.FileMetaDataset()
    file.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    file.SOPClassUID, file.SOPInstanceUID = pydicom.uid.SecondaryCaptureImageStorage, pydicom.uid.generate_uid()
    file.file_meta.MediaStorageSOPClassUID = file.SOPClassUID
    file.PatientID, file.PixelSpacing = "Ann", [0.5, 0.25]
    file.Rows, file.Columns = pixels.shape
    file.SamplesPerPixel, file.PhotometricInterpretation, file.PixelRepresentation = 1, "MONOCHROME2", 0
    file.BitsAllocated, file.BitsStored, file.HighBit = 8, 8, 7
    file.PixelData = pixels.tobytes()
    file.save_as(path, enforce_file_format=True)
