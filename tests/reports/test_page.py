import json
import re
from html import escape

import pandas as pd
import pytest
from PIL import Image

from medvision.reports import page as page_module
from medvision.reports.page import MOST_BYTES, environment_rows
from medvision.reports.page_figures import report_figures
from medvision.reports.run_report import read_report_inputs
from medvision.runs import read_json
from tests.reports.evaluated import complete, noise, page_of, raw_page, told
from tests.reports.reading import Page


def test_the_sections_stand_in_their_order_and_are_linked(binary):
    page = page_of(binary)
    titles = [title for level, title in page.headings if level == 2]
    sections = {name: title for name, title in page_module.SECTIONS.items() if name != "folds"}
    assert titles == list(sections.values())
    links = [attrs["href"] for attrs in page.all("a")]
    identifiers = [attrs["id"] for _, attrs in page.elements if "id" in attrs]
    assert len(identifiers) == len(set(identifiers))
    assert all(link[:1] == "#" and link[1:] in identifiers for link in links)
    assert links[: len(titles)] == [f"#{name}" for name in sections]


def test_nothing_is_loaded_and_nothing_runs(binary):
    text = raw_page(binary)
    page = Page(text)
    assert not page.all("script")
    assert not any(name.startswith("on") for _, attrs in page.elements for name in attrs)
    loaded = [
        attrs[key] for _, attrs in page.elements for key in ("src", "srcset", "href", "xlink:href") if key in attrs
    ]
    assert loaded
    assert all(address.startswith(("data:", "#")) for address in loaded)
    assert "default-src 'none'" in text
    assert not re.search(r"@import|url\((?!['\"]?#)", text)


@pytest.mark.parametrize("hostile", ["<script>alert(1)</script>", "\"><img src=x onerror='x'>", "a & b' \"{{ 7*7 }}"])
def test_names_cannot_write_html(draw_run, hostile):
    run = complete(draw_run(("plain", hostile)), sites=(hostile, "South"))
    experiment = run.experiment.read_text()
    run.experiment.write_text(experiment + f"question: {json.dumps('Is it ' + hostile)}\n")
    predictions = pd.read_csv(run.predictions).rename(columns={"site": f"device {hostile}"})
    predictions.to_csv(run.predictions, index=False)
    subgroups = told(run, "subgroups")
    for column in subgroups["test"]["image"]:
        column["column"] = f"{column['column']} {hostile}"
    run.subgroups.write_text(json.dumps(subgroups))
    text = raw_page(run)
    page = Page(text)
    assert not page.all("script")
    assert not any("onerror" in attrs for _, attrs in page.elements)
    assert "49" not in page.all("title")[0].values()
    assert escape(hostile, quote=False)[:12] in text.replace("&#39;", "'").replace("&#34;", '"')
    assert " ".join(f"Is it {hostile}".split()) in page.text


def test_a_page_stays_small_whatever_the_pictures_are(draw_mask_run):
    run = complete(draw_mask_run(labels=True), side=640)
    for path in (run.panels, run.training_batch):
        noise(1500, 1400).save(path)
    run.animation_gif.write_bytes(bytes(3_000_000))
    frames = [noise(400, 600, seed) for seed in range(12)]
    frames[0].save(run.animation_webp, save_all=True, append_images=frames[1:], lossless=True)
    assert run.animation_webp.stat().st_size > 5_000_000
    run.animation_gif.unlink()
    text = raw_page(run)
    assert 3_000_000 < len(text.encode()) <= MOST_BYTES
    assert "data:image/webp" not in text
    page = Page(text)
    assert "is too large to stand here" in page.text
    assert len(page.all("img")) == 2 * len(told(run, "cases")) + 3


def test_an_animation_that_fits_leaves_room_for_the_rest(draw_mask_run):
    run = draw_mask_run()
    run.animation_gif.unlink()
    run.animation_webp.unlink()
    frames = [noise(300, 300, seed) for seed in range(4)]
    frames[0].save(run.animation_webp, save_all=True, append_images=frames[1:], lossless=True)
    noise(2000, 1400).save(run.panels)
    text = raw_page(run)
    assert text.count("data:image/webp;base64,") == 1
    assert len(text.encode()) <= MOST_BYTES


def test_a_figure_that_is_too_large_is_left_out(draw_run):
    run = draw_run()
    inputs = read_report_inputs(run)
    figures = {"history_loss": "<svg>small</svg>", "confusion_matrix_image": f"<svg>{'x' * 900_000}</svg>"}
    figures |= {f"{kind}_image": f"<svg>{'y' * 700_000}</svg>" for kind in ("roc", "pr", "reliability", "net_benefit")}
    text = page_module.report_page(inputs, figures)
    assert "<svg>small</svg>" in text
    assert "x" * 99 not in text
    assert text.count("y" * 700_000) == 2
    assert len(text) < 3_000_000


def test_more_classes_than_can_be_read_are_cut(draw_run):
    run = draw_run(tuple(f"class {k}" for k in range(120)), images=800)
    text = raw_page(run)
    assert len(text.encode()) < 3_000_000
    assert "The first 100 of 120; metrics.json has them all." in Page(text).text
    assert "Confusion matrix" not in text


def test_nobody_can_be_recognised(binary):
    split, predictions = pd.read_csv(binary.split), pd.read_csv(binary.predictions)
    for table, path in ((split, binary.split), (predictions, binary.predictions)):
        table["patient"] = "HOSPITAL-" + table["patient"]
        if "group" in table:
            table["group"] = table["patient"]
        if "study" in table:
            table["study"] = "ACCESSION-" + table["study"]
        table["image"] = "ward/secret_" + table["image"]
        table.to_csv(path, index=False)
    cases = told(binary, "cases")
    binary.cases.write_text(json.dumps([{**case, "image": "ward/secret_" + case["image"]} for case in cases]))
    text = re.sub(r"data:image/[a-z]+;base64,[^\"]*", "", raw_page(binary))
    for private in ("HOSPITAL-", "ACCESSION-", "secret_", "ward/"):
        assert private not in text


def test_the_home_folder_is_not_told(draw_run):
    run = draw_run()
    run.experiment.write_text(run.experiment.read_text().replace("data/knee_sections", "/home/ann/knees"))
    page = page_of(run)
    assert "/home/ann" not in page.text
    assert "root: ~/knees" in page.text


def test_the_answer_comes_with_its_question(binary):
    assert "Does an image show yes or no? On " in page_of(binary).text
    binary.experiment.write_text(binary.experiment.read_text() + "question: Is the tendon torn?\n")
    assert "Is the tendon torn? On " in page_of(binary).text


def test_a_run_from_before_curves_and_decisions_is_still_told(draw_run):
    run = draw_run()
    metrics = told(run, "metrics")
    for levels in metrics.values():
        for entries in levels.values():
            del entries["confusion_matrix"]["class_patients"]
            for name in [n for n in entries if n.startswith(("npv", "brier", "ece", "calibration"))]:
                del entries[name]
    run.metrics.write_text(json.dumps(metrics))
    page = page_of(run)
    titles = [title for level, title in page.headings if level == 2]
    for absent in ("operating_point", "calibration", "decision_curve", "subgroups", "curves", "errors"):
        assert page_module.SECTIONS[absent] not in titles
    assert "Results" in titles
    assert "NPV" not in page.table("By class, per image, test split").heads


def test_a_choice_made_on_the_split_that_is_scored_is_said(binary):
    metrics = told(binary, "metrics")
    binary.metrics.write_text(json.dumps({"val": metrics["val"]}))
    page = page_of(binary)
    assert "which is also the split that is scored here: the results are too good" in page.text


def test_the_environment_has_everything_but_the_data(binary):
    environment = read_json(binary.environment)
    rows = dict(environment_rows(environment))
    assert rows["torch"] == environment["packages"]["torch"]
    assert rows["parameters"] == "1,234,567"
    assert rows["git commit"] == "–"
    assert "citation" not in rows


def test_every_figure_of_a_run_is_in_the_page(binary):
    names = set(report_figures(read_report_inputs(binary)))
    text = raw_page(binary)
    assert text.count("<svg ") == len(names)
    with Image.open(binary.training_batch) as sheet:
        assert sheet.width < page_module.SHEET_WIDTH
