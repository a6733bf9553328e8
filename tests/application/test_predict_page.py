import pytest

from medvision.application.opened import Opened
from medvision.application.predict_page import show
from medvision.errors import MedvisionError
from tests.application.fakes import draw_page, grey, image_bytes, opened_fake, shown_texts, upload
from tests.data.test_dicom import write
from tests.finished_runs import write_finished_run

BRIGHT, DARK = image_bytes(grey(255, 16, 16)), image_bytes(grey(0, 16, 16))


def test_the_limits_are_there_before_an_image_is(tmp_path):
    drawn = draw_page(show, opened_fake(tmp_path / "run"))
    assert any("80 megapixels" in text and "nothing is written" in text for text in shown_texts(drawn))
    assert not drawn.image
    assert not drawn.selectbox


def test_one_image_is_answered_without_a_table(tmp_path):
    drawn = upload(draw_page(show, opened_fake(tmp_path / "run")), ("a.png", BRIGHT))
    assert "**Answer: bright (1.00)**" in shown_texts(drawn)
    assert not drawn.dataframe


def test_several_images_have_a_table_and_are_looked_at_one_by_one(tmp_path):
    drawn = draw_page(show, opened_fake(tmp_path / "run"))
    upload(drawn, ("a.png", BRIGHT), ("broken.png", b"no"), ("=b.png", DARK))
    texts = shown_texts(drawn)
    assert "**Answer: bright (1.00)**" in texts
    assert any(text.startswith("broken.png: not an image") for text in texts)
    table = drawn.dataframe[0].value
    assert list(table["image"]) == ["a.png", "=b.png"]
    assert list(table["predicted"]) == ["bright", "dark"]
    (choice,) = drawn.selectbox
    assert choice.options == ["a.png", "=b.png"]
    choice.select_index(1).run()
    assert "**Answer: dark (1.00)**" in shown_texts(drawn)


def test_dicom_images_of_a_patient_are_united_under_a_pseudonym(tmp_path):
    tags = {"PatientID": "Ann Miller", "StudyInstanceUID": "1.2.3"}
    files = [write(tmp_path / f"{k}.dcm", grey(k, 16, 16), 8, tags) for k in (0, 255)]
    drawn = upload(draw_page(show, opened_fake(tmp_path / "run")), *((f.name, f.read_bytes()) for f in files))
    images, studies, patients = (frame.value for frame in drawn.dataframe)
    assert len(images) == 2
    assert list(studies["images"]) == list(patients["images"]) == [2]
    assert float(patients["p_bright"].iloc[0]) == pytest.approx(0.5)
    assert "Ann" not in "".join([*shown_texts(drawn), images.to_csv(), studies.to_csv(), patients.to_csv()])


def test_a_run_without_a_network_says_so(tmp_path):
    run = write_finished_run(tmp_path / "run")
    failures = []

    def page():
        try:
            show(Opened("run", run))
        except MedvisionError as error:
            failures.append(error.lines)

    assert not draw_page(page).exception
    assert len(failures[0]) == 1
