import json

import pandas as pd
import pytest

from medvision.answering.asked import Asked
from medvision.answering.folder import FORMATS, AnswerFolder, call_all, plain_rows, write_answers
from medvision.answering.records import make_answers
from medvision.errors import ConfigError
from medvision.runs import read_table
from tests.answering.fakes import model
from tests.answering.test_records import record

QUESTION = {"run": "a/b", "model": "1", "images": ["x"], "pictures": []}


def asked(path, below=None, frame=None):
    name = str(path) if frame is None else f"{path}#{frame}"
    return Asked(name, path, frame, below if below is not None else path.name)


@pytest.fixture
def folder(tmp_path):
    made = AnswerFolder(tmp_path / "deep" / "answers")
    made.begin(QUESTION)
    return made


def test_the_same_question_goes_on_and_others_are_refused(folder):
    folder.begin(QUESTION)
    with pytest.raises(ConfigError, match="holds the answers to another question \\(model, images differ\\)") as caught:
        folder.begin({**QUESTION, "model": "2", "images": ["y"]})
    assert len(caught.value.lines) == 1


def test_a_folder_with_other_files_and_one_that_cannot_be_made_are_refused(tmp_path):
    (tmp_path / "note.txt").write_text("")
    with pytest.raises(ConfigError, match="holds other files; give a folder that is new or empty"):
        AnswerFolder(tmp_path).begin(QUESTION)
    with pytest.raises(ConfigError, match="note.txt/x cannot be made"):
        AnswerFolder(tmp_path / "note.txt" / "x").begin(QUESTION)


def test_what_was_kept_is_found_again_unless_its_file_has_changed(folder, tmp_path):
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_text(name)
    both = [asked(tmp_path / name) for name in ("a.png", "b.png")]
    kept = [record(one.name, 0.25, stamp=one.stamp, patient="é", called=one.below) for one in both]
    folder.add(kept[:1])
    folder.add(kept[1:])
    found = folder.done(both)
    assert found[both[0].name].probabilities == [[0.75, 0.25]]
    assert found[both[0].name].patient == "é"
    (tmp_path / "b.png").write_text("another")
    assert list(folder.done(both)) == [both[0].name]
    assert folder.done(both[1:]) == {}


def test_a_line_that_was_cut_off_is_forgotten(folder, tmp_path):
    (tmp_path / "a.png").write_text("")
    one = asked(tmp_path / "a.png")
    folder.add([record(one.name, 0.5, stamp=one.stamp)])
    whole = folder.progress.read_bytes()
    folder.progress.write_bytes(whole + whole[:30])
    assert list(folder.done([one])) == [one.name]
    folder.add([record("b", 0.5)])
    assert len(folder.progress.read_text().splitlines()) == 2
    folder.progress.write_text("[]\n")
    with pytest.raises(ConfigError, match="damaged, or of another version"):
        folder.done([one])
    folder.asked.write_text("{")
    with pytest.raises(ConfigError, match="cannot be read; remove the folder"):
        folder.begin(QUESTION)


def test_two_processes_do_not_write_at_once(folder):
    with folder.lock(), pytest.raises(ConfigError, match="another process is writing"):
        folder.lock()


@pytest.mark.parametrize("kind", FORMATS)
def test_tables_are_written_in_every_format(folder, kind):
    answers = make_answers(model(), [record("a", 0.123456789012, patient="p")], {"b": "b: damaged, truncated"})
    written = folder.finish(answers, kind)
    assert [file.name for file in written] == [f"predictions.{kind}", f"patients.{kind}", "skipped.csv"]
    read = {"csv": read_table, "json": pd.read_json, "parquet": pd.read_parquet}[kind]
    if kind == "json":
        assert json.loads(written[0].read_text())[0]["p_bright"] == 0.123456789012
    else:
        pd.testing.assert_frame_equal(read(written[0]), answers.images, check_dtype=False)
    assert read_table(folder.skipped)["reason"].tolist() == ["b: damaged, truncated"]
    folder.finish(make_answers(model(), [record("a", 0.1)], {}), kind)
    assert not folder.skipped.exists()


def test_nothing_known_is_null(tmp_path):
    table = pd.DataFrame({"a": [1.5, float("nan")], "b": [None, True]})
    assert plain_rows(table) == [{"a": 1.5, "b": None}, {"a": None, "b": True}]
    write_answers(table, tmp_path / "a.json", "json")
    assert json.loads((tmp_path / "a.json").read_text()) == plain_rows(table)


def test_masks_are_called_after_their_images_and_never_the_same(tmp_path):
    images = [
        asked(tmp_path / "a" / "x.png", "a/x.png"),
        asked(tmp_path / "a" / "x.jpg", "a/x.jpg"),
        asked(tmp_path / "b" / "x.png", "x.png"),
        asked(tmp_path / "c" / "x.png", "x.png"),
        asked(tmp_path / "d" / "x.png", "x.png"),
        asked(tmp_path / "s.dcm", frame=2),
        asked(tmp_path / "z.png", "../../z.png"),
        asked(tmp_path / "root.png", "/etc/root.png"),
    ]
    assert list(call_all(images, {}).values()) == [
        "a/x.png",
        "a/x.jpg.png",
        "x.png",
        "x.png.png",
        "x_2.png",
        "s_2.png",
        "z.png",
        "etc/root.png",
    ]


def test_names_of_before_stay_and_are_not_given_again(tmp_path):
    old, new = asked(tmp_path / "b" / "x.png", "x.png"), asked(tmp_path / "a" / "x.png", "x.png")
    done = {old.name: record(old.name, 0.5, called="x.png")}
    assert call_all([new, old], done) == {old.name: "x.png", new.name: "x.png.png"}
