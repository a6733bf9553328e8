"""The page of a comparison: its cells are those of the files, it loads nothing, and everybody can read it."""

import re
from dataclasses import replace
from itertools import pairwise

import pytest

from medvision.reports import comparison_page as module
from medvision.reports.comparison_figures import comparison_figures
from medvision.reports.comparison_inputs import entry_of, headlines
from medvision.reports.comparison_page import comparison_page
from medvision.reports.comparison_tables import metric_title
from medvision.reports.figures import inline_svg, svg_text
from tests.reports.compared import UNDECIDED, WON, by_hand, draw_comparison, entry, pair
from tests.reports.reading import Page, numbers, same

THREE = draw_comparison(("scratch", "transfer", "baseline"))


def drawn(inputs):
    figures = {name: inline_svg(svg_text(figure), name) for name, figure in comparison_figures(inputs).items()}
    return comparison_page(inputs, figures)


@pytest.fixture(scope="module")
def three():
    return Page(drawn(THREE))


def test_sections_stand_in_their_order_and_are_linked(three):
    titles = [title for level, title in three.headings if level == 2]
    assert titles == list(module.SECTIONS.values())
    links = [attrs["href"] for attrs in three.all("a")]
    assert links[: len(titles)] == [f"#{name}" for name in module.SECTIONS]
    assert [link for link in links if not link.startswith("#")] == [model.report for model in THREE.models]


def test_every_cell_is_that_of_comparison_json(three):
    level = THREE.comparison["levels"]["image"]
    table = three.table("Models on the same 90 images of 30 patients")
    every = three.table("Every metric, per image")
    compared = 0
    for name in THREE.names:
        for metric in headlines(THREE, "image"):
            assert same(table.column(metric_title(metric), name), entry_of(THREE, "image", name, metric))
        for metric, found in level["metrics"][name].items():
            assert same(every.column(name, metric_title(metric)), found), metric
            compared += 1
    assert compared > 50
    differences = three.table("Every difference, per image")
    for one in level["pairs"]:
        head = f"{one['b']} − {one['a']}"
        for metric, found in one["differences"].items():
            cell = differences.column(head, metric_title(metric))
            assert same(cell, found), metric
            if found["p"] is not None:
                (told,) = numbers(cell.below[-1].removeprefix("p"))
                assert abs(told - found["p"]) <= 0.001


def test_the_tests_and_their_sources_are_told(three):
    table = three.table("Tests, per image")
    tests = [test for one in THREE.comparison["levels"]["image"]["pairs"] for test in one["tests"]]
    rows = [cells for title, cells in table.rows if cells]
    assert len(rows) == len(tests) >= 9
    for cells, test in zip(rows, tests, strict=True):
        assert abs(numbers(cells[2].value)[0] - test["p"]) <= 0.001
        assert abs(numbers(cells[3].value)[0] - test["p_holm"]) <= 0.001
        assert test["source"] in three.text
    assert f"{len(tests)} tests" in three.text


def test_notes_of_the_comparison_are_in_the_page(three):
    assert THREE.comparison["notes"]
    assert all(note in three.text for note in THREE.comparison["notes"])


def test_nothing_is_loaded_and_nothing_runs(three):
    text = drawn(THREE)
    assert not three.all("script")
    assert "default-src 'none'" in text
    assert not re.search(r"@import|url\((?!['\"]?#)|src=\"(?!data:)", text)
    assert text.count("<svg ") == len(comparison_figures(THREE))


def test_everybody_can_read_it(three):
    levels = [level for level, _ in three.headings]
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert three.all("html")[0]["lang"] == "en"
    assert all(table.caption and set(table.scopes) <= {"row", "col", "rowgroup"} for table in three.tables)
    assert len({table.caption for table in three.tables}) == len(three.tables)
    named = [attrs["aria-label"] for _, attrs in three.elements if attrs.get("role") in ("region", "img")]
    assert len(named) == len(set(named))
    identifiers = [attrs["id"] for _, attrs in three.elements if "id" in attrs]
    assert len(identifiers) == len(set(identifiers))


def test_a_home_folder_and_names_of_files_are_not_told():
    text = drawn(WON)
    for private in ("/home/ann", "p0", "0.png"):
        assert private not in text.replace("p0.0", "")


@pytest.mark.parametrize("hostile", ["<script>alert(1)</script>", "\"><img src=x onerror='x'>", "a & {{ 7*7 }}"])
def test_names_cannot_write_html(hostile):
    models = [replace(model, experiment={**model.experiment, "question": hostile}) for model in WON.models]
    page = Page(drawn(replace(WON, models=models, citation=hostile, counts={hostile: (3, 1)})))
    assert not page.all("script")
    assert not page.all("img")
    assert "49" not in page.headings[0][1]
    assert " ".join(hostile.split()) in page.text


def test_simulated_images_have_a_banner():
    assert "SIMULATED" in Page(drawn(replace(WON, simulated=True))).text
    assert "SIMULATED" not in Page(drawn(WON)).text


def test_what_is_not_there_has_no_section():
    bare = by_hand(entry(0.7), entry(0.8), pair(entry(0.1)))
    bare = replace(bare, models=[replace(model, experiment=bare.models[0].experiment) for model in bare.models])
    titles = [title for level, title in Page(drawn(bare)).headings if level == 2]
    for absent in ("tests", "needed", "settings"):
        assert module.SECTIONS[absent] not in titles
    assert "Differences" in titles


def test_two_models_are_in_the_title_and_the_answer_below():
    page = Page(drawn(UNDECIDED))
    assert page.headings[0] == (1, "scratch against transfer")
    assert "cannot be said, nor that they are equal" in page.text
    assert Page(drawn(THREE)).headings[0] == (1, "3 models compared")


def test_a_model_without_a_report_has_no_link():
    models = [replace(model, report=None) for model in WON.models]
    assert all(attrs["href"].startswith("#") for attrs in Page(drawn(replace(WON, models=models))).all("a"))
