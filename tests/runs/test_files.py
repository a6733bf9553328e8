import pandas as pd
import pytest

from medvision.errors import RunError
from medvision.runs import read_json, read_table, write_json, write_table


def test_names_stay_text(tmp_path):
    table = pd.DataFrame({"image": ["01"], "patient": ["007"], "target": [""], "predicted": ["NA"], "p_x": [0.5]})
    write_table(tmp_path / "t.csv", table)
    assert read_table(tmp_path / "t.csv").to_dict("list") == table.to_dict("list")
    with pytest.raises(RunError, match="not there"):
        read_table(tmp_path / "absent.csv")


def test_json_is_complete_and_strict(tmp_path):
    write_json(tmp_path / "m.json", {"a": [1, None]})
    assert read_json(tmp_path / "m.json") == {"a": [1, None]}
    with pytest.raises(ValueError, match="Out of range"):
        write_json(tmp_path / "m.json", {"a": float("nan")})
    assert read_json(tmp_path / "m.json") == {"a": [1, None]}
