"""The templates of a page: every cell is that of a file of the run, and everybody can read it."""

import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from medvision.evaluation.mask_text import MASK_SUMMARY
from medvision.evaluation.text import BY_CLASS, SUMMARY
from medvision.reports import page as page_module
from tests.reports.evaluated import complete, page_of, told
from tests.reports.reading import numbers, same

TEMPLATES = Path(page_module.__file__).parent / "templates"

COLOURS = re.compile(r"--([\w-]+): (#[0-9a-f]{3,6})")


def test_every_cell_of_the_metrics_is_that_of_metrics_json(binary):
    page, metrics = page_of(binary), told(binary, "metrics")
    compared = 0
    for split, title in (("test", "test"), ("val", "validation")):
        table = page.table(f"Metrics, {title} split")
        for column, level in enumerate(metrics[split], start=1):
            entries = metrics[split][level]
            assert numbers(table.heads[column])[0] == entries["accuracy"]["n"]
            titles = {name: title for name, title in SUMMARY.items() if name in entries}
            assert len(table.rows) == len(titles)
            for name in titles:
                assert same(table.column(table.heads[column], SUMMARY[name]), entries[name]), (split, level, name)
                compared += 1
            by_class = page.table(f"By class, per {level}, {title} split")
            for label in ("no", "yes"):
                for name, head in BY_CLASS.items():
                    assert same(by_class.column(head, label), entries[f"{name}_{label}"]), (level, name, label)
                    compared += 1
    assert compared >= 100


def test_the_operating_point_is_that_of_decision_and_metrics(binary):
    page, metrics, decision = page_of(binary), told(binary, "metrics")["test"], told(binary, "decision")
    table = page.table("Operating point on the test split")
    assert [title for title, _ in table.rows] == [f"yes, per {level}" for level in metrics]
    for level, entries in metrics.items():
        row = f"yes, per {level}"
        shown = float(table.column("threshold", row).value)
        assert shown == pytest.approx(decision["thresholds"][level]["yes"], rel=5e-3)
        matrix = entries["confusion_matrix"]
        assert numbers(table.column("have the class", row).value) == [sum(matrix["value"][1])]
        for head, name in {"sensitivity": "sensitivity", "specificity": "specificity", "PPV": "precision"}.items():
            assert same(table.column(head, row), entries[f"{name}_yes"])
        assert same(table.column("NPV", row), entries["npv_yes"])
    chosen = decision["chosen_on"]
    images = f"chosen on the validation split ({chosen['n']} images of {chosen['patients']} patients)"
    assert f"{images} and applied to the test split as it was" in page.text
    assert "Youden" in page.text


def test_calibration_is_told_before_and_after(binary):
    page, metrics, decision = page_of(binary), told(binary, "metrics")["test"], told(binary, "decision")
    assert decision["temperature"] != 1
    assert f"divided by the temperature {decision['temperature']:.3f}" in page.text
    table = page.table("Calibration on the test split")
    for level, entries in metrics.items():
        for name in ("log_loss", "brier", "ece", "calibration_slope", "calibration_intercept"):
            assert same(table.column(f"{level}, after", SUMMARY[name]), entries[name]), (level, name)
            assert same(table.column(f"{level}, before", SUMMARY[name]), entries["uncalibrated"][name]), (level, name)


def gap_of(column, group):
    """The gap with the cases of its smaller side, which its decimals are of."""
    others = sum(one["n"] for one in [*column["groups"], *column["left_out"]] if one["name"] != group["name"])
    return {**group["gap"], "n": min(group["n"], others)}


def test_every_cell_of_the_subgroups_is_that_of_subgroups_json(binary):
    page, subgroups = page_of(binary), told(binary, "subgroups")["test"]
    by_class = {f"{name}_{label}": f"{title}, {label}" for name, title in BY_CLASS.items() for label in ("no", "yes")}
    titles, compared = SUMMARY | by_class, 0
    for level, columns in subgroups.items():
        assert {column["column"] for column in columns} == {"sex", "age", "site"}
        for column in columns:
            table = page.table(f"AUROC by {column['column']}, per {level}")
            every = page.table(f"Every metric by {column['column']}, per {level}")
            assert len(table.rows) == len(column["groups"])
            values = [group["metrics"]["auroc"]["value"] for group in column["groups"]]
            alone = values.count(min(values)) == 1
            for group, (title, _), head in zip(column["groups"], table.rows, every.heads[1:], strict=True):
                worst = " (worst)" if alone and group["name"] == column["worst"] else ""
                assert title == group["name"] + worst
                assert numbers(table.column("patients", title).value) == [group["patients"]]
                assert same(table.column("AUROC", title), group["metrics"]["auroc"])
                assert same(table.column("gap to the others", title), gap_of(column, group))
                assert head == f"{group['name']} ({group['n']})"
                for name, entry in group["metrics"].items():
                    assert same(every.column(head, titles[name]), entry), (column["column"], name)
                    compared += 1
            if column["unknown"]:
                assert f"Not known, and in no group: {column['unknown']['n']} " in page.text
    assert compared > 50


def test_masks_have_their_cells_and_subgroups(draw_mask_run):
    run = complete(draw_mask_run(unit="px"))
    page, entries = page_of(run), told(run, "metrics")["test"]["image"]
    table = page.table("Metrics, test split")
    for name, title in MASK_SUMMARY.items():
        unit = f" ({entries[name]['unit']})" if "unit" in entries[name] else ""
        digits = 3 if not unit else 2 if abs(entries[name]["value"]) < 10 else 1
        assert same(table.column(table.heads[1], title + unit), entries[name], digits), name
    columns, compared = told(run, "subgroups")["test"]["image"], 0
    for column in columns:
        groups = page.table(f"Dice by {column['column']}, per image")
        for group, (title, _) in zip(column["groups"], groups.rows, strict=True):
            assert same(groups.column("Dice", title), group["metrics"]["dice"])
            assert same(groups.column("gap to the others", title), gap_of(column, group))
        every = page.table(f"Every metric by {column['column']}, per image")
        for group, head in zip(column["groups"], every.heads[1:], strict=True):
            for name in ("fat", "muscle"):
                assert same(every.column(head, f"Dice, {name}"), group["metrics"][f"dice_{name}"])
                compared += 1
    assert compared >= 2
    for absent in ("Operating point", "Calibration", "Decision curve"):
        assert (2, absent) not in page.headings


def test_the_page_can_be_read_by_everybody(binary):
    page = page_of(binary)
    levels = [level for level, _ in page.headings]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert page.all("html")[0]["lang"] == "en"
    assert all(attrs["alt"] for attrs in page.all("img"))
    assert all(table.caption and set(table.scopes) <= {"row", "col", "rowgroup"} for table in page.tables)
    assert len({table.caption for table in page.tables}) == len(page.tables)
    named = [attrs["aria-label"] for _, attrs in page.elements if attrs.get("role") in ("region", "img")]
    assert len(named) == len(set(named))
    assert all(named)


def test_a_picture_opens_large_without_standing_in_the_page_twice(binary):
    page, cases = page_of(binary), told(binary, "cases")
    urls = [attrs["src"] for attrs in page.all("img")]
    assert len(urls) == len(set(urls))
    # Two a case, and the sheet.
    assert len(urls) == 2 * len(cases) + 1
    links = [attrs["href"] for attrs in page.all("a")]
    for number, case in enumerate(cases, start=1):
        assert links.count(f"#case-{number}") == links.count(f"#open-case-{number}") == 1
        assert case["patient"] in page.text
        assert f"probability of {case['class_shown']} {case['probability']:.3f}" in page.text
    assert "no positive evidence" in page.text


def contrast(one, other):
    """WCAG 2.2, relative luminance."""

    def luminance(colour):
        digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
        parts = np.array([int(digits[k : k + 2], 16) for k in (0, 2, 4)]) / 255
        linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_text_stands_out_in_light_and_dark_and_on_paper():
    assert contrast("#fff", "#000000") == pytest.approx(21)
    style = (TEMPLATES / "style.css").read_text()
    themes = [dict(COLOURS.findall(line)) for line in style.splitlines() if "--paper" in line and "--ink:" in line]
    assert len(themes) == 3
    for theme in themes:
        for text in ("ink", "soft", "link", "warn"):
            for paper in ("paper", "card"):
                assert contrast(theme[text], theme[paper]) >= 4.5, (text, paper)
        assert contrast(theme["warn"], theme["warn-paper"]) >= 4.5


def test_the_checklists_say_what_is_open(binary):
    page = page_of(binary)
    for guideline in ("CLAIM 2024", "TRIPOD+AI"):
        table = page.table(guideline)
        answers = [cells[1].value for _, cells in table.rows]
        filled = sum(answer != "Open: for the author." for answer in answers)
        assert 0 < filled < len(answers)
        assert f"{guideline}: {filled} of {len(answers)} items answered" in page.text


def test_few_patients_are_said_at_the_tables(draw_run):
    run = complete(draw_run(("no", "yes"), images=80))
    page = page_of(run)
    patients = told(run, "metrics")["test"]["image"]["accuracy"]["patients"]
    assert patients < 20
    assert f"Only {patients} patients" in page.text
    assert "Fewer than 10 patients have the class" in page.text
    assert "* Fewer than 20 patients" in page_of(complete(draw_run(("no", "yes"), images=400))).text
