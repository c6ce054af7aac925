"""docs/operations.md tells of every metric, and the dashboard and the alert rules ask for none that there isn't."""

import json
import re
import shutil
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote
from urllib.request import urlopen

import pytest
import yaml

from cqlserver.launcher import launch
from cqlserver.metrics.families import FAMILIES

DOCS = Path(__file__).resolve().parents[2] / "docs"
PROMETHEUS = DOCS / "monitoring/prometheus.yml"
ALERTS, DASHBOARD = DOCS / "monitoring/alerts.yml", DOCS / "monitoring/grafana-dashboard.json"
WORDS = re.compile(r"\b(?:cassandra|cqlserver|process)_\w+")


def asked_for(expression: str) -> set[str]:
    """The families that an expression asks for; a summary's parts by their own names."""
    found = set(WORDS.findall(expression))
    parts = {name: re.sub("_(count|sum)$", "", name) for name in found}
    return {name if name in FAMILIES else parts[name] for name in found}


def test_the_page_tells_of_every_metric_as_it_is() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.*) \|$", (DOCS / "operations.md").read_text(), re.MULTILINE)
    told = {name: tuple(rest.split(" | ")) for name, rest in rows}
    assert told == {
        name: (family.type, family.unit, ", ".join(family.labels), family.meaning) for name, family in FAMILIES.items()
    }


def test_the_rules_ask_for_what_there_is() -> None:
    rules = [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]
    assert len(rules) > 8
    for rule in rules:
        names = asked_for(rule["expr"])
        assert names <= set(FAMILIES), rule
        assert names or rule["expr"].startswith("up{"), rule
        assert rule["annotations"]["summary"]


def test_the_dashboard_asks_for_what_there_is() -> None:
    dashboard = json.loads(DASHBOARD.read_text())
    variables = {variable["name"] for variable in dashboard["templating"]["list"]}
    expressions = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    assert len(expressions) > 15
    for expression in expressions:
        names = asked_for(expression)
        assert names, expression
        assert names <= set(FAMILIES), expression
        assert set(re.findall(r"\$(\w+)", expression)) <= variables, expression
    places = [tuple(panel["gridPos"].values()) for panel in dashboard["panels"]]
    assert len(set(places)) == len(places), "no panel lies on another"


def test_a_name_that_is_none_is_found_out() -> None:
    assert asked_for("rate(cassandra_client_request_latency_seconds_count[1m])") <= set(FAMILIES)
    assert not asked_for("cassandra_nosuch_total") <= set(FAMILIES)


@pytest.mark.skipif(shutil.which("promtool") is None, reason="Prometheus's promtool is not installed")
def test_promtool_takes_the_rules() -> None:
    done = subprocess.run(["promtool", "check", "rules", str(ALERTS)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("prometheus") is None, reason="Prometheus is not installed")
def test_prometheus_scrapes_a_port_that_asks_for_its_token(tmp_path: Path) -> None:
    """As docs/monitoring/prometheus.yml has it, but for the places; with another token it gets nothing."""
    config = yaml.safe_load(PROMETHEUS.read_text())
    (job,) = config["scrape_configs"]
    words = ["--memory", "--port", "0", "--control-port", "0", "--tls", "auto", "--control-tls", "clients", "--control-auth"]
    command = [sys.executable, "-P", "-m", "cqlserver", *words, "--ready-file", "-", "--until-stdin-ends"]
    with launch(command) as server:
        job["static_configs"] = [{"targets": [f"127.0.0.1:{server.control_port}"]}]
        job["tls_config"] = {"ca_file": server.access.ca}
        job["authorization"]["credentials_file"] = server.access.token_file
        assert scraped(tmp_path / "right", config, 'cqlserver_uptime_seconds{job="cqlserver"}')
        (tmp_path / "other").write_text("another-token-of-enough-length")
        job["authorization"]["credentials_file"] = str(tmp_path / "other")
        assert scraped(tmp_path / "wrong", config, 'up{job="cqlserver"} == 0')


def scraped(folder: Path, config: dict[str, object], query: str) -> bool:
    """Whether a Prometheus with this configuration comes to have something of that query."""
    folder.mkdir()
    config["global"] = {"scrape_interval": "1s", "scrape_timeout": "1s"}
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{sock.getsockname()[1]}"
    words = [f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"]
    words.append(f"--web.listen-address={address}")
    url = f"http://{address}/api/v1/query?query={quote(query)}"
    with subprocess.Popen(["prometheus", *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            for _ in range(150):
                with suppress(OSError), urlopen(url, timeout=5) as answer:
                    if json.load(answer)["data"]["result"]:
                        return True
                time.sleep(0.2)
            return False
        finally:
            process.terminate()
