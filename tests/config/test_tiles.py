import pytest
from pydantic import ValidationError

from medvision.config import load_experiment, typed_arguments
from medvision.config.tiles import TileGrid
from medvision.errors import ConfigError

FILE = """\
name: tiles
data: {name: double_contour, root: images, tiles: %s}
model: {task: classification, backbone: two_layer_cnn}
"""


def load(tmp_path, tiles):
    (tmp_path / "tiles.yaml").write_text(FILE % tiles)
    return load_experiment([str(tmp_path / "tiles.yaml")], [])


def test_a_grid_is_read_from_the_file_and_reaches_the_datamodule(tmp_path):
    data = load(tmp_path, "{rows: 2, columns: 3}").data
    assert data["tiles"] == {"rows": 2, "columns": 3}
    assert typed_arguments("data", data)["tiles"] == TileGrid(rows=2, columns=3)
    assert typed_arguments("data", load(tmp_path, "null").data)["tiles"] is None


@pytest.mark.parametrize(
    ("tiles", "words"),
    [
        ("{rows: 2}", r"tiles.yaml:2: .*'data.tiles.columns'"),
        ("{rows: 2, columns: 3, cols: 4}", r"tiles.yaml:2: .*data.tiles.cols"),
        ("{rows: 0, columns: 3}", r"tiles.yaml:2: .*data.tiles.rows.*0"),
        ("{rows: 2, columns: two}", r"tiles.yaml:2: .*data.tiles.columns.*two"),
    ],
)
def test_a_mistake_in_a_grid_is_one_line(tmp_path, tiles, words):
    with pytest.raises(ConfigError, match=words) as caught:
        load(tmp_path, tiles)
    assert len(caught.value.lines) == 1


def test_a_grid_cannot_be_changed():
    with pytest.raises(ValidationError, match="frozen"):
        TileGrid(rows=1, columns=1).rows = 2
