from pathlib import Path

import pytest

from medvision.config.suggestions import nearest, suggest, suggest_file


def test_nearest_ignores_case():
    assert nearest("ADAMW", ["sgd", "adamw"]) == "adamw"
    assert nearest("resnet", []) is None


def test_suggest_lists_all_when_nothing_is_near():
    assert suggest("bakbone", ["backbone", "loss"]) == "; did you mean 'backbone'?"
    assert suggest("xyz", ["backbone", "loss"]) == "; known: backbone, loss"
    assert suggest("xyz", []) == ""


def test_suggest_file_looks_beside_and_in_experiments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    Path("experiments").mkdir()
    Path("experiments/knee_sections.yaml").touch()
    expected = f"; did you mean '{Path('experiments/knee_sections.yaml')}'?"
    assert suggest_file(Path("knee_section")) == expected
    assert suggest_file(Path("experiments/knee_section.yaml")) == expected
    assert suggest_file(Path("nowhere/knee_sections.yaml")) == expected
    assert suggest_file(Path("lungs.yaml")) == ""
