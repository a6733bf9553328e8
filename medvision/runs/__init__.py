"""The run folder: its files by name, and how they are written and read."""

from medvision.runs.files import read_json, read_table, read_text, replace_text, table_text, write_json, write_table
from medvision.runs.folder import FOLDER_VARIABLE, Inside, RunFolder, create_run, link_latest, open_run, reads_run

__all__ = [
    "FOLDER_VARIABLE",
    "Inside",
    "RunFolder",
    "create_run",
    "link_latest",
    "open_run",
    "read_json",
    "read_table",
    "read_text",
    "reads_run",
    "replace_text",
    "table_text",
    "write_json",
    "write_table",
]
