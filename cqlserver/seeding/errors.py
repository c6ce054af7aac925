"""The one error of seeding: what is wrong, and where it stands."""

from pathlib import Path
from typing import Final

SHOWN_CHARS_MAX: Final = 200


class SeedError(Exception):
    """The message names file, line, reason and statement."""

    def __init__(self, file: Path, line: int | None, reason: str, statement: str | None = None) -> None:
        place = f"{file}:{line}" if line is not None else str(file)
        message = f"{place}: {reason}"
        if statement is not None:
            cut = statement if len(statement) <= SHOWN_CHARS_MAX else statement[:SHOWN_CHARS_MAX] + "..."
            message += f"\n  in {cut}"
        super().__init__(message)
        self.file, self.line, self.reason, self.statement = file, line, reason, statement
