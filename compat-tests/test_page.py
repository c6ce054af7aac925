"""The control port's page in a real browser: headless Chromium, driven by playwright-core, which page/package-lock.json
names. What it draws is left as pictures in the test's temporary folder."""

import hashlib
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from clients.programs import RUN_TIMEOUT_S, cache_folder, fetch, need

import cqlserver
from cqlserver.launcher import launch
from cqlserver.nodetool import program
from protocol.client import connect

PROJECT = Path(__file__).parent / "page"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
INSTALL = ("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=0")
CHECKS = {
    "every_section_is_drawn",
    "nothing_is_wider_than_a_phone",
    "rows_come_page_by_page",
    "console_by_keyboard_alone",
    "each_section_by_keyboard_alone",
    "tables_by_keyboard_alone",
    "what_is_drawn_again_stays_as_it_was",
    "plots_are_of_what_happens",
    "the_newest_line_of_the_log_is_first",
    "nothing_is_recorded_until_one_says_so",
    "a_slow_answer_does_not_keep_the_section_before",
    "it_is_painted_at_once",
    "it_only_reads",
    "many_rows_come_a_page_at_a_time",
    "several_nodes_are_in_view",
    "it_asks_for_the_token_once",
    "a_server_that_is_gone_is_told",
}
ROWS = 20_000
SCHEMA = (
    "CREATE KEYSPACE shop WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1};"
    "CREATE TABLE shop.orders (customer text, at timestamp, items list<text>, total decimal, PRIMARY KEY (customer, at))"
)


def browser() -> str:
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip(f"not installed here: {BROWSERS[0]}")
    return found


def modules() -> Path:
    """The folder with playwright-core, installed when it is first asked for."""
    lock = (PROJECT / "package-lock.json").read_bytes()
    folder = cache_folder(f"page-{hashlib.sha256(lock).hexdigest()[:12]}")
    if not (folder / "installed").exists():
        for name in ("package.json", "package-lock.json"):
            shutil.copy(PROJECT / name, folder)
        fetch("playwright-core", INSTALL, folder)
        (folder / "installed").touch()
    return folder


def served(data: Path) -> cqlserver.Server:
    """One that keeps its log's lines and what clients ask."""
    command = [sys.executable, "-P", "-m", "cqlserver", "--port", "0", "--control-port", "0", "--data", str(data)]
    command += ["--query-log", "--log-table", "--log-level", "info", "--ready-file", "-", "--until-stdin-ends"]
    return launch(command)


@contextmanager
def in_use(server: cqlserver.Server) -> Iterator[None]:
    """Somebody reads and writes all the time; the rows stay what they are."""
    over = threading.Event()

    def work() -> None:
        with connect(server.host, server.port) as client:
            while not over.wait(0.02):
                client.query("SELECT * FROM shop.orders WHERE customer = 'customer 1' AND at = 1700000000001")
                client.query("UPDATE shop.orders SET total = 1.5 WHERE customer = 'customer 1' AND at = 1700000000001")

    worker = threading.Thread(target=work)
    worker.start()
    try:
        yield
    finally:
        over.set()
        worker.join()


@pytest.mark.slow
def test_page(tmp_path: Path) -> None:
    need("node", "npm")
    chromium, folder = browser(), modules()
    shutil.copy(PROJECT / "checks.js", folder)
    with (
        served(tmp_path / "data") as server,
        cqlserver.start(control_auth=True) as locked,
        cqlserver.start(nodes=3) as cluster,
    ):
        server.execute(SCHEMA)
        server.execute("CREATE TABLE shop.many (k int PRIMARY KEY, v text)")
        (tmp_path / "many.csv").write_text("k,v\n" + "".join(f"{k},value {k}\n" for k in range(ROWS)))
        server.load(tmp_path / "many.csv", keyspace="shop")
        cluster.execute(SCHEMA.replace("'replication_factor': 1", "'replication_factor': 3"))
        cluster.nodes[2].stop()
        cluster.execute("INSERT INTO shop.orders (customer, at) VALUES ('a', 1)")
        for n in range(120):
            values = f"'customer {n % 7}', {1_700_000_000_000 + n}, ['apple', 'pear'], {n}.5"
            server.execute(f"INSERT INTO shop.orders (customer, at, items, total) VALUES ({values})")
        for arguments in ("flush shop", "compact shop", "snapshot -t before shop"):
            assert program.main(["-p", str(server.control_port), *arguments.split()]) == 0
        urls = [f"http://127.0.0.1:{one.control_port}/" for one in (server, locked, cluster)]
        token_file = locked.access.token_file
        assert token_file is not None
        token = Path(token_file).read_text().strip()
        with in_use(server):
            done = subprocess.run(
                ["node", str(folder / "checks.js"), chromium, urls[0], str(tmp_path), urls[1], token, urls[2]],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=2 * RUN_TIMEOUT_S,
                check=False,
            )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert {line.removeprefix("ok ") for line in lines} == CHECKS, done.stdout
    assert (tmp_path / "phone-rows.png").stat().st_size > 0
