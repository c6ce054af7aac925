"""What cassandra.yaml says of change data capture (config/DatabaseDescriptor.java)."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

MIB: Final = 1 << 20
_PREFERRED_BYTES: Final = 4096 * MIB


@dataclass(frozen=True, slots=True)
class CdcSettings:
    """`raw_directory` None: beside the data. `total_mib` 0: as the disk allows."""

    enabled: bool = False
    raw_directory: str | None = None
    total_mib: int = 0
    check_interval_ms: int = 250
    blocks_writes: bool = True
    on_repair: bool = True

    def folder(self, data: Path) -> Path:
        """Of a server with that data folder."""
        return Path(self.raw_directory) if self.raw_directory is not None else data / "cdc_raw"

    def total_bytes(self, data: Path) -> int:
        """cdc_total_space; where it is not set an eighth of the disk, and no more than 4 GiB."""
        if self.total_mib:
            return self.total_mib * MIB
        import shutil

        folder = self.folder(data).absolute()
        there = next(parent for parent in (folder, *folder.parents) if parent.exists())
        return min(_PREFERRED_BYTES, shutil.disk_usage(there).total // 8 // MIB * MIB)
