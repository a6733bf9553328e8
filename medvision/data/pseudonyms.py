"""What patients are called where their names must not be told: in pictures, and on the page that is published."""

import pandas as pd


def pseudonyms(table: pd.DataFrame) -> list[str]:
    """What the patient of each image is called where names must not be told.

    Args:
        table: the image table, in the order of `split.csv`.

    Returns:
        `patient N`, N being the place of the patient among all patients of the table; `image N`, N being the row, where
        the patient is not known. Both are counted from 1.

    >>> pseudonyms(pd.DataFrame({"image": ["a", "b", "c", "d"], "patient": ["Z", "A", "Z", None]}))
    ['patient 1', 'patient 2', 'patient 1', 'image 4']
    """
    known = table["patient"].fillna("").astype(str) if "patient" in table else pd.Series("", index=table.index)
    numbers = {name: number for number, name in enumerate(dict.fromkeys(filter(None, known)), start=1)}
    return [f"patient {numbers[name]}" if name else f"image {row}" for row, name in enumerate(known, start=1)]
