"""docs/operations.md tells of every metric, and the dashboard and the alert rules ask for none that there isn't."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from cqlserver.metrics.families import FAMILIES

DOCS = Path(__file__).resolve().parents[2] / "docs"
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
