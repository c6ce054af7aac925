"""The examples of README.md, run as they stand there, but for the port."""

import re
from pathlib import Path

from harness.runner import Address

README = Path(__file__).resolve().parent.parent / "README.md"


def blocks() -> list[str]:
    return re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)


def test_the_drivers_example_prints_the_item(server_address: Address) -> None:
    example = next(block for block in blocks() if "Cluster(" in block)
    elsewhere = example.replace('Cluster(["127.0.0.1"])', f'Cluster(["{server_address.host}"], port={server_address.port})')
    assert elsewhere != example
    names: dict[str, object] = {}
    exec(elsewhere, names)  # the README is ours
    session = names["session"]
    assert session.execute("SELECT item FROM shop.orders WHERE id = 1").one().item == "tea"  # type: ignore[attr-defined]
    session.execute("DROP KEYSPACE shop")  # type: ignore[attr-defined]
    session.cluster.shutdown()  # type: ignore[attr-defined]


def test_the_launchers_example_starts_and_stops_a_server() -> None:
    example = next(block for block in blocks() if "cqlserver.start" in block)
    names: dict[str, object] = {}
    exec(example, names)  # the README is ours
    server = names["server"]
    assert server.process.poll() == 0  # type: ignore[attr-defined]
