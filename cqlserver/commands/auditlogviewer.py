"""`cqlserver auditlogviewer PATH ...`: what a binary audit log has, as text (tools/AuditLogViewer.java)."""

import argparse
import sys
from pathlib import Path

from cqlserver.audit.audit_log import AUDIT_RECORD
from cqlserver.audit.bin_log import BinLogDamaged, records
from cqlserver.audit.reading import files_in


def main(name: str, arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="cqlserver auditlogviewer",
        description="View the audit log contents in human readable format",
        epilog="Of a server with `audit_logging_options: {enabled: true}`, or after `nodetool enableauditlog`.",
    )
    parser.add_argument("paths", metavar="PATH", nargs="+", type=Path, help="audit log files, or folders of them")
    parser.add_argument("-i", "--ignore", action="store_true", help="Silently ignore unsupported records")
    options = parser.parse_args(arguments)
    try:
        for path in files_in(options.paths):
            for kind, payload in records(path.read_bytes(), str(path)):
                if kind == AUDIT_RECORD:
                    print(f"Type: audit\nLogMessage: {payload.decode()}")
                elif not options.ignore:
                    raise BinLogDamaged(f"{path} is no audit log: a record is of kind {kind}; try `cqlserver fql dump`")
    except (OSError, BinLogDamaged) as error:
        print(f"auditlogviewer: {error}", file=sys.stderr)
        return 1
    return 0
