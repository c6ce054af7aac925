"""What of the commit log is known to be gone, and no damage: `losses.json` beside the segments.

Segments that were freed because everything in them is in SSTables are missing rightly; what the user has given up with
--ignore-replay-errors must not stop the next start, nor hide new damage from it. Replaced as a whole, durably, before
whatever it tells of is removed.

    {"freed": id of the newest segment that was freed,
     "lengths": {"segment id": how many bytes of it there are, 0: the segment is gone},
     "skipped": {"segment id": [offsets behind the sections some of whose records are left out]}}
"""

import json
from dataclasses import dataclass, field
from typing import Final

from protocol.errors import CorruptionError
from storage.environment.environment import Disk

LOSSES_FILE_NAME: Final = "losses.json"


@dataclass(slots=True)
class Losses:
    """See the module."""

    freed: int = 0
    lengths: dict[int, int] = field(default_factory=dict)
    skipped: dict[int, list[int]] = field(default_factory=dict)

    def explains_missing(self, segment_id: int) -> bool:
        return segment_id <= self.freed or self.lengths.get(segment_id) == 0

    def forget_freed(self) -> None:
        """What is known of segments that are freed is of no use any more."""
        self.lengths = {segment_id: length for segment_id, length in self.lengths.items() if segment_id > self.freed}
        self.skipped = {segment_id: ends for segment_id, ends in self.skipped.items() if segment_id > self.freed}

    def save(self, disk: Disk, folder: str) -> None:
        fields = {"freed": self.freed, "lengths": self.lengths, "skipped": self.skipped}
        disk.write_file_atomically(f"{folder}/{LOSSES_FILE_NAME}", json.dumps(fields).encode())


def load_losses(disk: Disk, folder: str) -> Losses:
    """Raises CorruptionError."""
    path = f"{folder}/{LOSSES_FILE_NAME}"
    if not disk.exists(path):
        return Losses()
    try:
        fields = json.loads(disk.read_file(path))
        lengths = {int(segment_id): int(length) for segment_id, length in fields["lengths"].items()}
        skipped = {int(segment_id): [int(end) for end in ends] for segment_id, ends in fields["skipped"].items()}
        return Losses(int(fields["freed"]), lengths, skipped)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise CorruptionError(
            f"{path}, which says what of the commit log was freed or given up, can't be read ({error}). Restore it from a "
            "copy, or remove it and start with --ignore-replay-errors if segments are missing"
        ) from error
