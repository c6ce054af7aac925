"""Records what Cassandra's nodetool prints: writes the outcomes into the files of cases.

    python compat-tests/nodetool/record.py --contact 127.0.0.1:9142 --tool 'oracle tool nodetool -p 7199' [FILE ...]
"""

import argparse
import shlex
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent.parent)]

from harness.runner import Address  # noqa: E402

from nodetool import cases  # noqa: E402
from protocol.client import connect  # noqa: E402
from protocol.responses import Error  # noqa: E402

UNLUCKY = "Server is not initialized yet"
"""What Cassandra's tool says where a table is dropped while it asks for all of them."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--contact", required=True)
    parser.add_argument("--tool", required=True)
    parser.add_argument("file", nargs="*", type=Path, default=cases.files())
    options = parser.parse_args()
    address = Address.parse(options.contact)

    def execute(statement: str) -> None:
        with connect(address.host, address.port) as connection:
            response = connection.query(statement).response
        if isinstance(response, Error):
            sys.exit(f"{statement}: {response}")

    def tool(words: list[str]) -> tuple[str, str, int]:
        done = subprocess.run([*shlex.split(options.tool), *words], capture_output=True, text=True, check=False)
        if UNLUCKY in done.stderr:
            return tool(words)
        return done.stdout, done.stderr, done.returncode

    for file in options.file:
        found = cases.read(file)
        recorded = [case._replace(outcome=outcome) for case, outcome in cases.run(file, found, execute, tool)]
        file.write_text(cases.written(recorded))
        print(f"{file}: {len(recorded)} cases")


main()
