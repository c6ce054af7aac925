"""From which networks a role may come: CassandraCIDRAuthorizer, which enforces or only tells."""

import logging
from dataclasses import replace
from ipaddress import ip_address
from typing import Any

import pytest
from auth_server import SETTINGS, AuthSession, auth_node

from cqlserver.auth.networks import KnownNetworks, parsed_network
from cqlserver.node import Node
from cqlserver.program.auth_settings import ALLOW_ALL, AuthSettings, CidrSettings, check_together, cidr_settings, class_of
from storage.environment.environment import ManualClock

AUTHORIZER = "CassandraCIDRAuthorizer"
REFUSED = "You do not have access from this IP 127.0.0.1"
QUESTION = "SELECT cluster_name FROM system.local"


def node_with(cidr: CidrSettings) -> Node:
    node = auth_node(replace(SETTINGS, cidr_authorizer=AUTHORIZER, cidr=cidr), ManualClock())
    AuthSession(node, "cassandra", "cassandra").done(
        "INSERT INTO system_auth.cidr_groups (cidr_group, cidrs) VALUES ('here', {('127.0.0.0', 8)})",
        "INSERT INTO system_auth.cidr_groups (cidr_group, cidrs) VALUES ('there', {('0.0.0.0', 0), ('127.0.0.1', 99)})",
        *(f"CREATE ROLE {name} WITH PASSWORD = 'x' AND LOGIN = true" for name in ("anywhere", "near", "far")),
        "ALTER ROLE near WITH ACCESS FROM CIDRS {'here'}",
        "ALTER ROLE far WITH ACCESS FROM CIDRS {'there'}",
        "CREATE ROLE boss WITH PASSWORD = 'x' AND LOGIN = true AND SUPERUSER = true AND ACCESS FROM CIDRS {'there'}",
    )
    node.access.networks.reload()
    return node


def test_roles_come_from_their_networks() -> None:
    node = node_with(CidrSettings(enforces=True))
    for name in ("anywhere", "near", "boss"):
        AuthSession(node, name, "x").done(QUESTION, "USE system")
    far = AuthSession(node, "far", "x")
    assert far.error(QUESTION) == far.error("USE system") == far.error("LIST ROLES") == REFUSED
    AuthSession(node, "cassandra", "cassandra").done("ALTER ROLE far WITH ACCESS FROM ALL CIDRS")
    far.done(QUESTION)


def test_superusers_too_where_they_are_checked() -> None:
    node = node_with(CidrSettings(enforces=True, checks_superusers=True))
    assert AuthSession(node, "boss", "x").error(QUESTION) == REFUSED


def test_groups_are_read_again_after_a_while() -> None:
    node = node_with(CidrSettings(enforces=True, refresh_minutes=2))
    clock, superuser, near = (
        node.environment.clock,
        AuthSession(node, "cassandra", "cassandra"),
        AuthSession(node, "near", "x"),
    )
    assert isinstance(clock, ManualClock)
    near.done(QUESTION)
    superuser.done("UPDATE system_auth.cidr_groups SET cidrs = {('10.0.0.0', 8)} WHERE cidr_group = 'here'")
    clock.advance(119)
    near.done(QUESTION)
    clock.advance(2)
    assert near.error(QUESTION) == REFUSED


def counted(node: Node) -> dict[str, int]:
    rows = node.access.tables.rows("SELECT name, value FROM system_views.cidr_filtering_metrics_counts")
    return {row["name"]: row["value"] for row in rows}


def test_accesses_are_counted_by_group() -> None:
    node = node_with(CidrSettings(enforces=True))
    before = counted(node)
    assert before.pop("CIDR groups cache reload count") == 2  # at the start, and here
    assert not before, "who may come from anywhere is not looked up"
    AuthSession(node, "near", "x").done(QUESTION)
    assert AuthSession(node, "far", "x").error(QUESTION) == REFUSED
    told = counted(node)
    assert told["Number of CIDR accesses accepted from CIDR group - here"] == 1
    assert told["Number of CIDR accesses rejected from CIDR group - here"] == 1
    assert node.access.networks.counts.checks.count > 2


def test_where_nobody_is_refused_all_are_counted() -> None:
    node = node_with(CidrSettings())
    AuthSession(node, "far", "x").done(QUESTION)
    assert counted(node)["Number of CIDR accesses accepted from CIDR group - here"] >= 1


@pytest.mark.parametrize(
    ("text", "network"),
    [
        ("10.1.2.77/24", ("10.1.2.0", 24)),
        ("10.1.2.77/32", ("10.1.2.77", 32)),
        ("10.1.2.77/0", ("0.0.0.0", 0)),
        ("2001:db8::1/32", ("2001:db8::", 32)),
        ("::ffff:192.1.56.10/120", ("192.1.56.0", 24)),
        ("/8", ("127.0.0.0", 8)),
    ],
)
def test_networks_begin_with_their_first_address(text: str, network: tuple[str, int]) -> None:
    address, prefix = parsed_network(text)
    assert (str(address), prefix) == network


def test_who_would_be_refused_is_told_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    node = node_with(CidrSettings())
    far, clock = AuthSession(node, "far", "x"), node.environment.clock
    assert isinstance(clock, ManualClock)
    with caplog.at_level(logging.WARNING, logger="cqlserver"):
        far.done(QUESTION)
        clock.advance(10)
        far.done(QUESTION)
        clock.advance(60)
        far.done(QUESTION)
    told = [record.getMessage() for record in caplog.records if "unauthorized IP" in record.getMessage()]
    assert told == ["Role far accessed from unauthorized IP 127.0.0.1, CIDR group [here]"] * 2


def test_the_narrowest_network_decides() -> None:
    networks = {"a": ("10.0.0.0/8", "::/0"), "b": ("10.1.0.0/16",), "c": ("10.1.0.0/16", "2001:db8::/32")}
    known = KnownNetworks(
        (group, [(ip_address(address), int(prefix)) for address, _, prefix in (one.partition("/") for one in of)])
        for group, of in networks.items()
    )
    found = {
        address: known.groups_of(ip_address(address))
        for address in ("10.2.0.1", "10.1.2.3", "11.0.0.1", "2001:db8::1", "::1")
    }
    assert found == {
        "10.2.0.1": {"a"}, "10.1.2.3": {"b", "c"}, "11.0.0.1": set(), "2001:db8::1": {"c"}, "::1": {"a"}
    }  # fmt: skip


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        (None, CidrSettings()),
        ({"cidr_authorizer_mode": "enforce"}, CidrSettings(enforces=True)),
        ({"cidr_checks_for_superusers": True, "cidr_groups_cache_refresh_interval": 7}, CidrSettings(False, True, 7)),
        ({"cidr_authorizer_mode": "SOMEHOW"}, "cidr_authorizer_mode: SOMEHOW is not supported; use MONITOR or ENFORCE"),
        ({"cidr_groups_cache_refresh_interval": "soon"}, "cidr_groups_cache_refresh_interval: soon is no number of minutes"),
    ],
)
def test_parameters(parameters: dict[str, Any] | None, expected: object) -> None:
    chosen = {"class_name": AUTHORIZER, "parameters": parameters}
    assert class_of("cidr_authorizer", chosen) == AUTHORIZER
    if isinstance(expected, CidrSettings):
        assert cidr_settings(chosen) == expected
    else:
        with pytest.raises(ValueError, match=str(expected)):
            cidr_settings(chosen)


def test_it_needs_logins() -> None:
    with pytest.raises(ValueError, match=f"{AUTHORIZER} can't be used with {ALLOW_ALL}"):
        check_together(AuthSettings(cidr_authorizer=AUTHORIZER))
