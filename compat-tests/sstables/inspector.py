"""Cassandra's own code that looks at SSTables, in one Java process that answers many questions (Inspect.java)."""

import json
import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ORACLE = Path(os.environ.get("CASSANDRA_ORACLE", HERE.parents[2] / "shared" / "oracle" / "oracle"))
HOME = Path(os.environ.get("CASSANDRA_ORACLE_HOME", Path.home() / ".cache" / "cassandra-oracle"))


class Refused(Exception):
    """What Cassandra says is wrong with a file."""


class Inspector:
    """`node`: the folder of the oracle's node whose schema `verify` knows."""

    def __init__(self, node: int, classes: Path) -> None:
        self._jmx_port = 7198 + node
        library = HOME / "lib" / "*"
        subprocess.run(["javac", "-cp", str(library), "-d", str(classes), str(HERE / "Inspect.java")], check=True)
        home = HOME / f"node{node}"
        path = f"{classes}:{home / 'conf'}:{library}"
        self._log = (classes / "inspect.log").open("w")
        self._process = subprocess.Popen(
            [
                "java", *opened(), "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xmx400M",
                f"-Dcassandra.config=file://{home}/conf/cassandra.yaml", f"-Dcassandra.storagedir={home}",
                "-cp", path, "Inspect",
            ],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, text=True,
        )  # fmt: skip
        self._answer()
        self._config = (home / "conf" / "cassandra.yaml").read_text()

    def index_block_bytes(self, default: int) -> int:
        """What the node's column_index_size is; `default`: where it says nothing."""
        found = re.search(r"^column_index_size\"?: *['\"]?(\d+)KiB", self._config, re.MULTILINE)
        return int(found[1]) * 1024 if found else default

    def dump(self, path: Path) -> list[Any]:
        """What sstabledump says, an object for each partition."""
        return [json.loads(line, parse_float=str) for line in self._ask(f"dump {path}") if line.strip()]

    def form(self, java_type: str, value: bytes) -> str:
        """A value as the tries of Rows.db have it, in hexadecimal digits; "none" where it has no form."""
        return "".join(self._ask(f"form 0x{value.hex()} {java_type}")).strip()

    def verify(self, keyspace: str, table: str) -> int:
        """sstableverify -e of all SSTables in a table's folder; how many there are."""
        return int(self._ask(f"verify {keyspace} {table}")[-2].split()[-1])

    def load_schema(self) -> None:
        """From the node's folder, as it is now."""
        self._ask("schema")

    def flush(self, keyspace: str) -> None:
        """nodetool flush, of the running node."""
        self._ask(f"flush {self._jmx_port} {keyspace}")

    def compact(self, keyspace: str, table: str) -> None:
        """nodetool compact, of the running node."""
        self._ask(f"compact {self._jmx_port} {keyspace} {table}")

    def compact_files(self, paths: Sequence[Path]) -> None:
        """Those together, by the running node, whatever the strategy says."""
        self._ask(f"compactfiles {self._jmx_port} {','.join(map(str, paths))}")

    def refresh(self, keyspace: str, table: str) -> None:
        """nodetool refresh: the running node takes new files in the table's folder."""
        self._ask(f"refresh {self._jmx_port} {keyspace} {table}")

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()
        self._log.close()

    def _ask(self, line: str) -> list[str]:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> list[str]:
        assert self._process.stdout is not None
        lines: list[str] = []
        for line in self._process.stdout:
            if line == ".\n":
                return lines
            if line.startswith("! "):
                raise Refused(line[2:].strip())
            lines.append(line)
        raise Refused("the process ended: " + "".join(lines[-3:]))


def opened() -> list[str]:
    """What of the Java runtime Cassandra wants opened: the oracle's own list."""
    text = ORACLE.read_text()
    lists = {name: re.search(rf'{name} = """(.*?)"""', text, re.DOTALL) for name in ("JAVA_BASE", "EXPORTS")}
    base, exports = ((found[1] if found else "").split() for found in lists.values())
    options = [f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in base]
    options += [f"--add-exports=java.base/{package}=ALL-UNNAMED" for package in base]
    options += ["--add-opens=jdk.management/com.sun.management.internal=ALL-UNNAMED"]
    return options + [f"--add-exports={package}=ALL-UNNAMED" for package in exports]
