"""The folder that `cqlserver ccm-home` lays out, and how its bin/cassandra starts a server."""

import os
import subprocess
from pathlib import Path

import pytest

from cqlserver.__main__ import configure
from cqlserver.commands import COMMANDS
from cqlserver.install_folder.starting import MAIN_CLASS, properties_of, server_command
from cqlserver.install_folder.writing import TOOLS, write_folder


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "a home"
    assert COMMANDS["ccm-home"].main("ccm-home", [str(folder)]) == 0
    return folder


def test_it_has_what_an_installed_one_has(home: Path) -> None:
    assert (home / "0.version.txt").read_text() == "5.0.8\n"
    for name in ("bin/cassandra", "bin/cqlsh", *TOOLS):
        assert os.access(home / name, os.X_OK), name
        assert "@" not in (home / name).read_text().replace('"$@"', ""), name
    for name in ("bin/cassandra.in.sh", "tools/bin/cassandra.in.sh", "conf/cassandra-env.sh", "conf/logback.xml"):
        assert (home / name).is_file(), name
    assert list((home / "conf").glob("jvm*.options"))
    write_folder(home)  # again


def test_its_yaml_is_one_that_the_server_takes(home: Path) -> None:
    config = configure(["--config", str(home / "conf" / "cassandra.yaml")])
    assert (config.seeds, config.port, config.storage_port) == (("127.0.0.1:7000",), 9042, 7000)


def test_how_the_server_is_started(home: Path) -> None:
    conf = home / "conf"
    command = server_command(home, conf, ["cassandra.ring_delay_ms=5", "cassandra.logdir=/logs"], "7100")
    config = configure(command[4:])
    assert (config.control_port, config.data, config.log_level) == (7100, home / "data" / "data", "info")
    assert config.ring.ring_delay_ms == 5
    assert MAIN_CLASS in command[-1]
    assert "-Dcassandra.logdir=/logs" in command
    (conf / "logback.xml").write_text((conf / "logback.xml").read_text().replace('root level="INFO"', 'root level="TRACE"'))
    (conf / "cassandra.yaml").write_text("data_file_directories: [/elsewhere]\n")
    config = configure(server_command(home, conf, [], "0")[4:])
    assert (config.data, config.log_level) == (Path("/elsewhere"), "debug")


def test_properties_are_those_of_cassandra() -> None:
    words = ["-Xmx1G", "-Dcassandra.join_ring=true", "#-Dcassandra.x=1", "-Djava.net.preferIPv4Stack=true"]
    assert properties_of(words) == ["cassandra.join_ring=true"]


def test_its_programs_run(home: Path) -> None:
    told = subprocess.run([home / "bin" / "cassandra", "-v"], capture_output=True, text=True, check=True)
    assert told.stdout == "5.0.8\n"
