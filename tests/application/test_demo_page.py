import re
import shutil

import pandas as pd
import pytest

from medvision.runs import RunFolder, read_table, write_json, write_table
from tests.application.discs import trained
from tests.application.pages import pictures, visit, words
from tests.finished_runs import write_finished_run
from tests.reports.cross_validated import draw_parent

EVIL = "![x](https://evil.test/x.png) <img src=//evil.test> [y](https://evil.test) :red[z] $x$"


@pytest.fixture(scope="module")
def classified(tmp_path_factory):
    return trained("classification", tmp_path_factory)[0]


@pytest.fixture(scope="module")
def segmented(tmp_path_factory):
    return trained("segmentation", tmp_path_factory)[0]


@pytest.fixture
def drawn(tmp_path):
    """A run of drawn predictions, without pictures or network."""
    return drawn_in(tmp_path / "drawn")


def drawn_in(path, **changes):
    run = write_finished_run(path, **changes)
    table = read_table(run.predictions)
    write_table(run.split, table[["image", "patient", "split"]].assign(label=table["target"], sha256="0"))
    return run


def asked(app):
    """The number of the image in the address."""
    found = app.query_params["image"]
    return int(found if isinstance(found, str) else found[0])


def rows_of(run, split="test"):
    """The numbers of the rows of a split, counted from 1."""
    table = read_table(run.predictions)
    return [k for k, name in enumerate(table["split"], start=1) if name == split]


def test_the_first_image_of_the_test_split_is_shown(classified, monkeypatch):
    app = visit(monkeypatch, "demo", classified.path)
    rows = rows_of(classified)
    row = read_table(classified.predictions).iloc[rows[0] - 1]
    said = words(app)
    assert not app.exception
    assert "Images of the test split" in said
    assert f"Image **1** of {len(rows)}" in said
    assert f"true\\: {row['target']}\\; predicted\\: {row['predicted']}" in said
    assert ("Right" in said) == (row["target"] == row["predicted"])
    assert "The line is that of the decision" in said
    assert [caption.partition("\\:")[0] for caption in pictures(app)] == ["image", "Grad\\-CAM"]
    assert len(app.get("vega_lite_chart")) == 1
    assert asked(app) == rows[0]
    # A file name may be a patient's.
    assert row["image"] not in said
    app.toggle(key="file names").set_value(True).run()
    assert row["image"] in words(app)


def test_buttons_lead_to_the_neighbours(classified, monkeypatch):
    app = visit(monkeypatch, "demo", classified.path)
    rows = rows_of(classified)
    assert [button.disabled for button in app.button] == [True, False]
    app.button[1].click().run()
    assert asked(app) == rows[1]
    assert "Image **2** of" in words(app)
    app.button[0].click().run()
    assert asked(app) == rows[0]
    app = visit(monkeypatch, "demo", classified.path, image=rows[-1])
    assert [button.disabled for button in app.button] == [False, True]


@pytest.mark.parametrize("name", ["999999", "../../etc/passwd", "<b>x</b>", "1"])
def test_an_image_that_is_not_in_the_table_is_refused(classified, monkeypatch, name):
    assert rows_of(classified)[0] != 1
    app = visit(monkeypatch, "demo", classified.path, image=name)
    assert not app.exception
    assert "The address names an image that this table does not have" in words(app)
    assert asked(app) == rows_of(classified)[0]
    assert "<b>" not in words(app)


def test_mistakes_of_a_class_can_be_chosen(drawn, monkeypatch):
    app = visit(monkeypatch, "demo", drawn.path)
    app.selectbox(key="order of the demo").select("mistakes").run()
    table = read_table(drawn.predictions)
    table = table[table["split"] == "test"]
    wrong = table[table["target"] != table["predicted"]]
    assert 0 < len(wrong) < len(table)
    assert f"Image **1** of {len(wrong)}" in words(app)
    worst = wrong.assign(error=[row[f"p_{row['predicted']}"] for _, row in wrong.iterrows()])["error"].idxmax()
    assert asked(app) == worst + 1
    app.selectbox(key="class of the demo").select("torn").run()
    assert f"of {(wrong['target'] == 'torn').sum()}" in words(app)


def test_another_run_begins_with_its_own_first_image(classified, drawn, monkeypatch):
    app = visit(monkeypatch, "demo", drawn.path, classified.path, image=rows_of(drawn)[-1])
    app.radio(key="run").set_value(app.radio(key="run").options[1].replace("\\", "")).run()
    assert "does not have" not in words(app)
    assert asked(app) == rows_of(classified)[0]


def test_a_kind_without_images_is_told_of(drawn, monkeypatch):
    table = read_table(drawn.predictions)
    write_table(drawn.predictions, table[table["target"] == table["predicted"]])
    app = visit(monkeypatch, "demo", drawn.path)
    app.selectbox(key="order of the demo").select("mistakes").run()
    assert "No image is of this kind" in words(app)


def test_without_data_set_and_network_the_table_is_shown(drawn, monkeypatch):
    app = visit(monkeypatch, "demo", drawn.path)
    assert not app.exception
    assert "Only what the run folder holds is shown" in words(app)
    assert "SIMULATED" in words(app)
    assert pictures(app) == []


def test_where_nothing_was_tested_the_page_says_so(drawn, monkeypatch):
    table = read_table(drawn.predictions)
    write_table(drawn.predictions, table[table["split"] == "val"])
    app = visit(monkeypatch, "demo", drawn.path)
    assert "Validation images: the test split was left alone" in words(app).replace("\\", "")


def test_masks_have_four_pictures_and_their_scores(segmented, monkeypatch):
    app = visit(monkeypatch, "demo", segmented.path)
    assert not app.exception
    assert pictures(app)[:4] == ["image", "true mask", "predicted mask", "difference"]
    row = read_table(segmented.predictions).iloc[rows_of(segmented)[0] - 1]
    table = app.table[0].value
    assert list(table.index) == ["disc", "bar"]
    assert table.loc["disc", "Dice"] == f"{row['dice_disc']:.3f}"
    assert table.loc["bar", "true area"] == f"{row['area_true_bar']:,.0f} px²"
    app.selectbox(key="order of the demo").select("dice").run()
    tested = read_table(segmented.predictions).iloc[[number - 1 for number in rows_of(segmented)]]
    lowest = tested[["dice_disc", "dice_bar"]].mean(axis=1).idxmin()
    assert asked(app) == lowest + 1


def test_of_folds_the_pooled_table_is_shown(tmp_path, monkeypatch):
    parent = draw_parent(tmp_path / "folds", folds=3, patients=12)
    app = visit(monkeypatch, "demo", parent.path)
    assert not app.exception
    assert "All images of a cross-validation" in words(app).replace("\\", "")
    assert f"of {len(read_table(parent.predictions))}" in words(app)


def test_names_of_others_are_shown_as_text(tmp_path, monkeypatch):
    classes = ("whole", EVIL)
    run = drawn_in(tmp_path / "run", classes=classes)
    table = read_table(run.predictions).assign(image=lambda rows: [f"{EVIL}{k}" for k in range(len(rows))])
    write_table(run.predictions, table)
    app = visit(monkeypatch, "demo", run.path)
    assert not app.exception
    app.toggle(key="file names").set_value(True).run()
    markdown = [*app.markdown, *app.caption, *app.success, *app.error, *app.info, *app.warning]
    assert any("evil" in element.value for element in markdown)
    assert not any(re.search(r"(?<!\\)[\[<$]", element.value) for element in markdown)


def test_a_comparison_has_no_demo(drawn, monkeypatch):
    write_json(drawn.plan, {"kind": "comparison"})
    app = visit(monkeypatch, "demo", drawn.path)
    assert not app.exception
    assert "holds runs of several experiments" in words(app)


@pytest.mark.parametrize("damage", ["text", "columns", "numbers", "masks"])
def test_a_damaged_run_is_told_of_in_a_line(segmented, tmp_path, monkeypatch, damage):
    shutil.copytree(segmented.path, tmp_path / "run")
    run = RunFolder(tmp_path / "run")
    table = read_table(run.predictions)
    if damage == "text":
        run.predictions.write_bytes(b"\xff\xfe\x00nothing")
    elif damage == "columns":
        write_table(run.predictions, table[["image", "split"]])
    elif damage == "numbers":
        write_table(run.predictions, table.assign(dice_disc="high"))
    else:
        write_table(run.predictions, table.assign(mask=pd.Series("../../secret.png", index=table.index)))
    app = visit(monkeypatch, "demo", run.path)
    assert not app.exception
    assert len(app.error) == 1
