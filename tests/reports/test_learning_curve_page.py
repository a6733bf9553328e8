import re

import pytest

from medvision.reports.figures import inline_svg, svg_text
from medvision.reports.learning_curve_figures import learning_curve_figures
from medvision.reports.learning_curve_page import SECTIONS, learning_curve_page
from tests.reports.reading import Page, same
from tests.reports.told_curves import told


def read(found):
    figures = {name: inline_svg(svg_text(figure), name) for name, figure in learning_curve_figures(found).items()}
    text = learning_curve_page(found, figures, "20260101-120000-ab12")
    return text, Page(text)


@pytest.fixture(scope="module")
def page():
    return read(told())


def test_all_sections_in_their_order(page):
    _, read_page = page
    assert [title for level, title in read_page.headings if level == 2] == list(SECTIONS.values())
    assert [f"#{name}" for name in SECTIONS] == [a["href"] for a in read_page.all("a")][: len(SECTIONS)]


def test_one_model_has_nothing_to_differ_from():
    _, read_page = read(told(models=("small",)))
    titles = [title for level, title in read_page.headings if level == 2]
    assert "Differences between models" not in titles
    assert "Settings that differ" not in titles


def test_the_numbers_are_those_of_the_file(page):
    _, read_page = page
    found = told()
    table = read_page.table("By number of training images, per image")
    sizes = [cells for title, cells in table.rows if title == "400 images"]
    for cells, model in zip(sizes, found["models"], strict=True):
        assert same(cells[0], found["levels"]["image"]["metrics"][model]["400"]["auroc"])
    assert read_page.table("Power laws of AUROC, per image").column("exponent c", "small").value == "0.50"
    assert read_page.table("Training images by size and class").heads == ["trained on", "patients", "well", "sick"]


def test_every_run_is_linked_from_the_folder_of_the_page(page):
    _, read_page = page
    links = [a["href"] for a in read_page.all("a") if a["href"].startswith("parts/")]
    assert len(links) == 2 * 4 * 2
    assert "parts/large-800-1/report.html" in links


def test_settings_that_differ_leave_out_what_is_varied(page):
    _, read_page = page
    table = read_page.table("Settings that differ")
    assert [title for title, _ in table.rows] == ["model.backbone"]
    assert [cell.value for cell in table.rows[0][1]] == ["net_small", "net_large"]


def test_the_page_needs_no_network_and_tells_no_folder(page):
    text, _ = page
    assert "/home/ann" not in text
    assert "<script" not in text
    loads = [url for url in re.findall(r'(?:src|href)="([^"]+)"', text) if not url.startswith(("#", "data:", "parts/"))]
    assert loads == []


def test_simulated_images_are_called_so_first():
    _, read_page = read(told(simulated=True))
    assert "SIMULATED: the images of these runs were drawn by a program" in read_page.text
    assert "SIMULATED" not in read(told())[1].text


def test_names_are_text_and_no_markup():
    text, _ = read(told(models=("<b>small</b>", "large")))
    assert "<b>small</b>" not in text.replace("<td><b>", "")


@pytest.mark.parametrize("changes", [{"sizes": (100, 200)}, {"sizes": (100, 200, 400)}, {"repeats": 1}])
def test_less_than_a_whole_curve_is_a_page_too(changes):
    _, read_page = read(told(**changes))
    assert "What more images would bring" in [title for _, title in read_page.headings]


def test_several_levels_are_folded_away_but_the_first():
    found = told()
    found["levels"]["patient"] = found["levels"]["image"]
    _, read_page = read(found)
    assert "Learning curves, per patient" in read_page.text
    assert read_page.table("By number of training images, per patient").rows
