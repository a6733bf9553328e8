from typing import get_args

from medvision.exporting.formats import ENDINGS, EXTRAS, PRECISIONS, Format


def test_every_format_is_known_in_full():
    names = get_args(Format)
    assert tuple(ENDINGS) == tuple(PRECISIONS) == names
    assert EXTRAS.keys() <= set(names)
    assert all(able[0] == "fp32" for able in PRECISIONS.values())
    assert len(set(ENDINGS.values())) == len(names), "no format takes the name of another"
