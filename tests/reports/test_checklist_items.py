from itertools import groupby

from medvision.reports.checklist_items import CLAIM, ITEMS, TRIPOD

# As they are numbered in the two articles.
LETTERS = {3: "abc", 5: "ab", 6: "abc", 8: "abc", 9: "abc", 12: "abcdefg", 18: "abcdef", 20: "abc", 23: "ab", 27: "abc"}
TRIPOD_NUMBERS = [f"{number}{letter}" for number in range(1, 28) for letter in LETTERS.get(number, [""])]


def numbers(guideline):
    return [item.number for item in ITEMS if item.guideline == guideline]


def test_every_official_item_is_there_once_and_in_order():
    assert numbers(CLAIM) == [str(k) for k in range(1, 45)]
    assert numbers(TRIPOD) == TRIPOD_NUMBERS
    assert len(ITEMS) == 44 + 52
    assert numbers(TRIPOD)[4:12] == ["3c", "4", "5a", "5b", "6a", "6b", "6c", "7"]


def test_an_item_asks_one_short_thing_of_its_own():
    asked = [item.asked for item in ITEMS]
    assert all(5 < len(text) <= 100 and text[0].isupper() and text[-1] in ".?" for text in asked)
    for guideline in (CLAIM, TRIPOD):
        own = [item.asked for item in ITEMS if item.guideline == guideline]
        assert len(set(own)) == len(own)


def test_a_section_is_one_block():
    for guideline in (CLAIM, TRIPOD):
        sections = [name for name, _ in groupby(item.section for item in ITEMS if item.guideline == guideline)]
        assert len(set(sections)) == len(sections)


def test_sections_are_those_of_the_articles():
    section = {(item.guideline, item.number): item.section for item in ITEMS}
    expected = {
        (CLAIM, "13"): "Methods: data",
        (CLAIM, "14"): "Methods: reference standard",
        (CLAIM, "20"): "Methods: data partitions",
        (CLAIM, "21"): "Methods: testing data",
        (CLAIM, "34"): "Methods: evaluation",
        (CLAIM, "39"): "Results: model performance",
        (CLAIM, "44"): "Other information",
        (TRIPOD, "11"): "Methods: data and participants",
        (TRIPOD, "17"): "Methods: analysis",
        (TRIPOD, "18f"): "Open science",
        (TRIPOD, "24"): "Results",
        (TRIPOD, "27c"): "Discussion",
    }
    assert {key: section[key] for key in expected} == expected
