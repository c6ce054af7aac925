"""`cqlserver ccm-home DIR`: a folder that ccm, and what else starts a Cassandra, takes for an installed one."""

import argparse
import sys
from pathlib import Path
from typing import Final

SUMMARY: Final = "Lays out a folder that ccm takes for an installed Cassandra: ccm create test --install-dir DIR"


def main(name: str, arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="cqlserver ccm-home",
        description=SUMMARY,
        epilog="The nodes run with this Python and this cqlserver. nodetool's JMX ports are control ports. ccm itself looks "
        "for a java command and asks it for its version; nothing else does.",
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="made if it is not there; its files are written anew")
    folder = parser.parse_args(arguments).folder.resolve()
    from cqlserver.install_folder.writing import write_folder

    try:
        write_folder(folder)
    except OSError as error:
        print(f"cqlserver ccm-home: {folder}: {error.strerror}; choose another folder", file=sys.stderr)
        return 1
    print(f"ccm create NAME --install-dir {folder}")
    return 0
