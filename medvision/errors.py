"""What a user can mend: every mistake is one line that says what was found, where, and what to change."""


class MedvisionError(Exception):
    """A mistake in what the user gave. A command prints its lines and ends with `exit_code`, without a traceback.

    Args:
        *lines: one line a mistake; all mistakes that were found, not only the first.
    """

    exit_code = 2

    def __init__(self, *lines: str) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


class ConfigError(MedvisionError):
    """The experiment file or an option of the command line."""


class DataError(MedvisionError):
    """The image table, a file it names, or the split made of it."""


class ImageError(DataError):
    """One image file that cannot be read. The message names the file."""


class ModelError(MedvisionError):
    """A backbone, a weight file or a layer name."""


class RunError(MedvisionError):
    """A run folder that is missing, incomplete or of another kind."""
