from pathlib import Path

from medvision.reports.gallery_cards import WIDTH, gallery_cards, gallery_pictures

CASE = {
    "split": "test",
    "kind": "uncertain",
    "image": "ward/secret.png",
    "patient": "patient 7",
    "target": "torn|swollen",
    "predicted": "",
    "probability": 0.4996,
    "class_shown": "torn",
    "picture": Path("01.jpg"),
    "map": Path("01_map.jpg"),
    "no_evidence": False,
    "note": "",
}


def test_cases_are_told_by_kind():
    mistake = {**CASE, "kind": "mistake", "map": None, "note": "why there is no map"}
    cards = gallery_cards([CASE, mistake])
    assert list(cards) == ["Most confident mistakes", "Least certain"]
    (uncertain,), (wrong,) = cards["Least certain"], cards["Most confident mistakes"]
    assert (uncertain.number, wrong.number) == (1, 2)
    assert uncertain.patient == "patient 7"
    assert uncertain.facts == [("true", "torn, swollen"), ("predicted", "none"), ("probability of torn", "0.500")]
    assert [name for name, _ in uncertain.pictures] == ["case_1", "case_1_map"]
    assert uncertain.pictures[1][1].startswith("Map of the evidence for torn over the image of patient 7")
    assert [name for name, _ in wrong.pictures] == ["case_2"]
    assert (uncertain.note, wrong.note) == ("", "why there is no map")
    assert "secret" not in str(cards)


def test_a_map_without_evidence_says_so():
    (card,) = gallery_cards([{**CASE, "no_evidence": True}])["Least certain"]
    assert card.note == "no positive evidence"


def test_pictures_have_the_names_of_the_cards():
    cases = [CASE, {**CASE, "map": None}, {**CASE, "picture": None, "map": None}]
    assert gallery_pictures(cases) == {
        "case_1": (Path("01.jpg"), WIDTH),
        "case_1_map": (Path("01_map.jpg"), WIDTH),
        "case_2": (Path("01.jpg"), WIDTH),
    }
    assert gallery_cards([]) == {}
