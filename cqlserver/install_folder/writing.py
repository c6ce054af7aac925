"""Lays out the folder: what `files` has, with the paths of this interpreter and this package filled in, and the tools."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

FILES: Final = Path(__file__).parent / "files"
PACKAGES: Final = Path(__file__).resolve().parents[2]
VERSION: Final = "5.0.8"
TOOLS: Final[Mapping[str, str]] = {
    "bin/nodetool": "nodetool",
    "bin/sstableverify": "sstable verify",
    "tools/bin/auditlogviewer": "auditlogviewer",
    "tools/bin/fqltool": "fql",
    "tools/bin/sstabledump": "sstable dump",
    "tools/bin/sstablemetadata": "sstable metadata",
}
"""What runs which command of ours."""
_TOOL: Final = """\
#!/bin/sh
PYTHONPATH="@PACKAGES@${PYTHONPATH:+:$PYTHONPATH}"
export PYTHONPATH
exec "@PYTHON@" -P -m cqlserver %s "$@"
"""
_RUN_BY_ALL: Final = 0o755


def write_folder(folder: Path) -> None:
    """Makes the folder, or its files anew. Raises OSError."""
    for name in ("bin", "conf", "tools/bin"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for source in sorted(path for path in FILES.rglob("*") if path.is_file()):
        target = folder / source.relative_to(FILES)
        _write(target, source.read_text(), is_program=target.parent.name == "bin" and target.suffix != ".sh")
    _write(folder / "tools/bin/cassandra.in.sh", (FILES / "bin/cassandra.in.sh").read_text().replace("/..", "/../.."))
    for name, command in TOOLS.items():
        _write(folder / name, _TOOL % command, is_program=True)
    (folder / "0.version.txt").write_text(f"{VERSION}\n")


def _write(target: Path, text: str, is_program: bool = False) -> None:
    target.write_text(text.replace("@PYTHON@", sys.executable).replace("@PACKAGES@", str(PACKAGES)))
    if is_program:
        target.chmod(_RUN_BY_ALL)
