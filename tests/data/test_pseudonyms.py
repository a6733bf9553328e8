import pandas as pd

from medvision.data.pseudonyms import pseudonyms


def test_pseudonyms_follow_the_table_and_tell_no_name():
    table = pd.DataFrame({"image": list("abcdef"), "patient": ["0815", None, "P/1", "0815", "", "3"]})
    assert pseudonyms(table) == ["patient 1", "image 2", "patient 2", "patient 1", "image 5", "patient 3"]
    assert pseudonyms(table[["image"]]) == [f"image {k}" for k in range(1, 7)]
