import re

import numpy as np
import pytest

from medvision.phantoms import layouts
from medvision.phantoms.joints import JOINTS, SECTIONS


def names(folder, suffix="png"):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob(f"*.{suffix}"))


def test_knee_sections_shows_every_patient_in_every_section(tmp_path):
    layouts.write_knee_sections(tmp_path, 0, 2, 2)
    wanted = [f"{section}/p00{patient}_{n}.png" for section in SECTIONS for patient in (0, 1) for n in (1, 2)]
    assert names(tmp_path) == sorted(wanted)


def test_joint_ultrasound_shows_every_patient_with_two_joints(tmp_path):
    layouts.write_joint_ultrasound(tmp_path, 0, 12, 1)
    pairs: dict[str, set[str]] = {}
    for name in names(tmp_path):
        joint, patient = re.fullmatch(r"(\w+)/(p\d{3})_1\.png", name).groups()
        pairs.setdefault(patient, set()).add(joint)
    assert {len(joints) for joints in pairs.values()} == {2}
    assert len({frozenset(joints) for joints in pairs.values()}) == 6, "every pair of joints occurs"
    assert set.union(*pairs.values()) == set(JOINTS)


def test_folder_has_one_class_a_patient(tmp_path):
    layouts.write_folder(tmp_path, 0, 4, 2)
    assert names(tmp_path) == sorted(
        f"{label}/p00{patient}_{n}.png" for patient, label in enumerate(("intact", "broken") * 2) for n in (1, 2)
    )


@pytest.fixture(scope="module")
def mura(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mura")
    layouts.write_mura(folder, 0, 20, 2)
    return folder


@pytest.mark.parametrize("part", ["train", "valid"])
def test_mura_lists_exactly_its_files(mura, part):
    listed = (mura / f"{part}_image_paths.csv").read_text().splitlines()
    assert sorted(listed) == [f"MURA-v1.1/{name}" for name in names(mura) if name.startswith(part)]
    form = re.compile(rf"MURA-v1\.1/{part}/XR_[A-Z]+/patient\d{{5}}/study\d_(positive|negative)/image\d\.png")
    assert all(form.fullmatch(line) for line in listed)


@pytest.mark.parametrize("part", ["train", "valid"])
def test_mura_labels_each_study_by_its_folder(mura, part):
    lines = (mura / f"{part}_labeled_studies.csv").read_text().splitlines()
    listed = (mura / f"{part}_image_paths.csv").read_text().splitlines()
    studies = dict(line.split(",") for line in lines)
    assert set(studies) == {line.rpartition("/")[0] + "/" for line in listed}
    assert all((label == "1") == study.endswith("_positive/") for study, label in studies.items())
    assert set(studies.values()) == {"0", "1"}


def test_mura_keeps_a_patient_in_one_part(mura):
    images = [name.split("/") for name in names(mura)]
    patients = {part: {image[2] for image in images if image[0] == part} for part in ("train", "valid")}
    assert len(patients["train"]) == 16
    assert len(patients["valid"]) == 4
    assert not patients["train"] & patients["valid"]


def test_medmnist_has_the_arrays_of_the_real_archive(tmp_path):
    layouts.write_medmnist(tmp_path, 0, 20, 1)
    archive = np.load(tmp_path / "pneumoniamnist.npz", allow_pickle=False)
    for split, count in (("train", 14), ("val", 2), ("test", 4)):
        images, labels = archive[f"{split}_images"], archive[f"{split}_labels"]
        assert images.shape == (count, 28, 28)
        assert labels.shape == (count, 1)
        assert images.dtype == labels.dtype == np.uint8
        assert labels.sum() == count // 2
