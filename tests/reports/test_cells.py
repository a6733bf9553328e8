import doctest

import pytest

from medvision.reports import cells, cost, page_tables, pictures, privacy
from medvision.reports.cells import count_cell, entry_cell, gap_cell


@pytest.mark.parametrize("module", [cells, cost, page_tables, pictures, privacy])
def test_examples(module):
    found = doctest.testmod(module)
    assert found.attempted
    assert not found.failed


def test_a_value_stands_over_its_interval():
    assert entry_cell({"value": -0.5, "low": -0.75, "high": 0.25}) == ("-0.500", ["-0.750 to 0.250"])
    assert entry_cell({"value": None, "low": None, "high": None}) == ("–", [])
    distance = {"value": 3.14159, "low": 2.0, "high": 4.0, "unit": "mm", "infinite": 1}
    assert entry_cell(distance) == ("3.14", ["2.00–4.00", "1 infinite"])


def test_a_gap_has_a_sign():
    assert gap_cell({"value": 0.0, "low": None, "high": None}) == ("+0.000", [])
    assert gap_cell({"value": -0.1, "low": -0.2, "high": 0.0}) == ("-0.100", ["-0.200 to +0.000"])
    assert gap_cell({"value": None, "low": None, "high": None}) == ("–", [])


def test_counts():
    assert count_cell(None) == ("–", [])
    assert count_cell(1000) == ("1,000", [])
