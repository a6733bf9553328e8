from pathlib import Path

import cv2
import pandas as pd
import pytest

from medvision.phantoms import labelled

WRITERS = {
    "table": labelled.write_table,
    "knee_xray": labelled.write_knee_xray,
    "lung_us": labelled.write_lung_us,
    "chest_xray": labelled.write_chest_xray,
    "hip_us": labelled.write_hip_us,
}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """Folder and table of every set, drawn when it is asked for."""
    made: dict[str, tuple[Path, pd.DataFrame]] = {}

    def draw(name):
        if name not in made:
            folder = tmp_path_factory.mktemp(name)
            WRITERS[name](folder, 0, 12, 1 if name == "hip_us" else 2)
            made[name] = (folder, pd.read_csv(folder / "labels.csv", keep_default_na=False))
        return made[name]

    return draw


@pytest.mark.parametrize("name", WRITERS)
def test_the_table_names_exactly_the_images(drawn, name):
    folder, table = drawn(name)
    found = sorted(path.relative_to(folder).as_posix() for path in (folder / "images").iterdir())
    assert sorted(table["image"]) == found
    assert table["image"].is_unique


@pytest.mark.parametrize("name", WRITERS)
def test_images_are_grey_in_effect_and_not_flat(drawn, name):
    folder, table = drawn(name)
    for image in table["image"]:
        pixels = cv2.imread(str(folder / image), cv2.IMREAD_COLOR)
        assert (pixels.max(axis=2) - pixels.min(axis=2)).max() == 0
        assert pixels.std() > 10


@pytest.mark.parametrize("name", ["knee_xray", "lung_us", "chest_xray", "hip_us"])
def test_columns_are_those_of_the_real_set(drawn, name, medvision_data):
    real = medvision_data / name / "labels.csv"
    if not real.is_file():
        pytest.skip(f"real images: {real} is absent")
    wanted = pd.read_csv(real)
    table = drawn(name)[1]
    assert list(table) == list(wanted)
    assert set(table["label"]) <= set(wanted["label"])


def test_table_tells_findings_by_patient(drawn):
    table = drawn("table")[1]
    assert set(table["label"]) == {"normal", "abnormal"}
    assert ((table["label"] == "abnormal") == (table["fracture"] | table["implant"]).astype(bool)).all()
    assert len(table[["fracture", "implant"]].drop_duplicates()) == 4, "none, each alone, both"
    constant = ["label", "study", "fracture", "implant", "body_part", "sex", "age"]
    assert (table.groupby("patient")[constant].nunique() == 1).all(axis=None)


def test_knee_xray_has_both_knees_with_like_grades(drawn):
    table = drawn("knee_xray")[1]
    assert (table.groupby("patient")["side"].apply(sorted).map("".join) == "LR").all()
    assert (table.groupby("patient")["kl_grade"].agg(lambda grades: grades.max() - grades.min()) <= 1).all()
    assert (table["label"] == "KL" + table["kl_grade"].astype(str)).all()
    assert (table.groupby("patient")["original_split"].nunique() == 1).all()
    assert set(table["kl_grade"]) == set(range(5))


def test_a_video_of_lung_us_is_of_one_patient_and_one_probe(drawn):
    table = drawn("lung_us")[1]
    assert (table.groupby("video")[["patient", "probe", "label"]].nunique() == 1).all(axis=None)
    assert table["patient"].nunique() < table["video"].nunique()
    assert set(table["label"]) == {"covid", "pneumonia", "regular", "viral"}


def test_chest_xray_subtypes_belong_to_their_labels(drawn):
    table = drawn("chest_xray")[1]
    assert set(table["subtype"]) == {"normal", "bacteria", "virus"}
    assert ((table["subtype"] == "normal") == (table["label"] == "normal")).all()
    assert (table.groupby("patient")["subtype"].nunique() == 1).all()


def test_hip_us_repeats_the_copy_of_the_real_set(drawn):
    folder, table = drawn("hip_us")
    standard = table["label"] == "standard"
    assert (table.loc[standard, "reason"] == "").all()
    assert (table.loc[~standard, "reason"] != "").all()
    first, second = (folder / f"images/standard_{k}.png" for k in (0, 1))
    assert first.read_bytes() == second.read_bytes()
