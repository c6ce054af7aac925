"""Users whom an LDAP server knows: who gets in and as which role, and what happens where the server does not answer."""

import logging
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import trustme
from auth_server import AuthSession, auth_node
from small_ldap import BASE, SERVICE, SERVICE_PASSWORD, SLAPD, SmallLdap, dn_of, free_port, slapd

import cqlserver
from cqlserver.__main__ import configure
from cqlserver.auth.ldap import Directory, LdapAuthenticator, LdapUnavailable
from cqlserver.program.auth_settings import LDAP, AuthSettings, CacheSettings
from cqlserver.program.config import Config, ConfigError, apply_setting
from cqlserver.program.ldap_settings import LdapServer, LdapSettings, read_ldap
from protocol.client import connect
from protocol.errors import BadCredentials
from protocol.responses import AuthSuccess, Error
from storage.environment.environment import ManualClock, Rng
from storage.environment.errands import Errand, Errands

TEMPLATE = f"uid={{user}},ou=people,{BASE}"
SEARCHED: dict[str, object] = {
    "search_base": f"ou=people,{BASE}",
    "service_dn": SERVICE,
    "service_password": SERVICE_PASSWORD,
}
GROUPS = {"group_base": f"ou=groups,{BASE}", "group_roles": {"admins": "dba", f"CN=readers, ou=groups,{BASE}": "reader"}}


@pytest.fixture(scope="module", params=["small", "slapd"])
def port(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Of a server with the people of small_ldap."""
    if request.param == "slapd":
        if SLAPD is None:
            pytest.skip("OpenLDAP's slapd is not installed")
        with slapd(tmp_path_factory.mktemp("slapd")) as number:
            yield number
        return
    server = SmallLdap()
    yield server.port
    server.close()


@pytest.fixture
def small() -> Iterator[SmallLdap]:
    server = SmallLdap()
    yield server
    server.close()


def directory(port: int, **parameters: object) -> Directory:
    return Directory(read_ldap({"uri": f"ldap://127.0.0.1:{port}", "timeout": "2s", **parameters}), time.monotonic)


# --- who gets in -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("parameters", [{"user_dn": TEMPLATE}, SEARCHED], ids=["by template", "searched"])
def test_names_and_passwords(port: int, parameters: dict[str, object]) -> None:
    known = directory(port, **parameters)
    assert known.role_of("alice", "wonderland") == "alice"
    assert known.role_of("odd, (name)*", "odd\\pass") == "odd, (name)*"
    for name, password in (("alice", "wrong"), ("nobody", "x"), ("alice,ou=people", "wonderland"), ("*", "wonderland")):
        assert known.role_of(name, password) is None, name
    assert known.role_of("a)(uid=alice", "wonderland") is None


def test_roles_by_group_attribute_and_default(port: int) -> None:
    by_group = directory(port, **SEARCHED, **GROUPS)
    assert by_group.role_of("alice", "wonderland") == "dba"  # the first group of the list that has her
    assert by_group.role_of("bob", "builder") == "reader"
    by_attribute = directory(port, **SEARCHED, role_attribute="description", default_role="guest")
    assert by_attribute.role_of("alice", "wonderland") == "dba"
    assert by_attribute.role_of("bob", "builder") == "guest"
    none = directory(port, **SEARCHED, role_attribute="description")
    assert none.role_of("bob", "builder") is None
    templated = directory(port, user_dn=TEMPLATE, default_role="guest")
    assert templated.role_of("bob", "builder") == "guest"


def test_a_service_that_may_not_log_in_is_no_fault_of_the_user(port: int, tmp_path: Path) -> None:
    wrong = {**SEARCHED, "service_password": "wrong"}
    with pytest.raises(LdapUnavailable, match="cn=reader,dc=example,dc=org can't log in there"):
        directory(port, **wrong).role_of("alice", "wonderland")
    (tmp_path / "password").write_text(f"{SERVICE_PASSWORD}\n")
    of_file = {name: value for name, value in SEARCHED.items() if name != "service_password"}
    of_file["service_password_file"] = str(tmp_path / "password")
    assert directory(port, **of_file).role_of("alice", "wonderland") == "alice"
    of_file["service_password_file"] = str(tmp_path / "nosuch")
    with pytest.raises(LdapUnavailable, match="nosuch: No such file"):
        directory(port, **of_file).role_of("alice", "wonderland")


# --- servers that do not answer ----------------------------------------------------------------------------------------


def test_the_next_server_is_asked_where_one_is_down(small: SmallLdap) -> None:
    settings = read_ldap({"uri": f"ldap://127.0.0.1:{free_port()},ldap://127.0.0.1:{small.port}", "user_dn": TEMPLATE})
    assert Directory(settings, time.monotonic).role_of("alice", "wonderland") == "alice"


def test_a_server_that_says_nothing_is_given_up_in_time(small: SmallLdap) -> None:
    small.silent = True
    began = time.monotonic()
    with pytest.raises(LdapUnavailable, match=f"ldap://127.0.0.1:{small.port}: "):
        directory(small.port, user_dn=TEMPLATE, timeout="1s").role_of("alice", "wonderland")
    assert 0.5 < time.monotonic() - began < 4


class Logins:
    """An authenticator with a clock that tests command; its errands are done at once."""

    def __init__(self, port: int, **cache: int) -> None:
        self.clock, self.asked = ManualClock(), 0
        settings = read_ldap({"uri": f"ldap://127.0.0.1:{port}", "user_dn": TEMPLATE, "timeout": "1s"})

        def begin(function: object) -> Errand[str | None]:
            self.asked += 1
            errand: Errand[str | None] = Errand(function)  # type: ignore[arg-type]
            errand.run()
            return errand

        cache_settings = CacheSettings(**{"validity_ms": 2_000, **cache})
        self.authenticator = LdapAuthenticator(settings, cache_settings, self.clock, Rng(b"l"), begin)
        self.authenticator._directory._clock = time.monotonic

    def log_in(self, name: str, password: str) -> str:
        steps = self.authenticator.user_of(f"\0{name}\0{password}".encode(), None)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                return str(end.value.name)


def test_what_it_said_is_believed_for_a_while(small: SmallLdap) -> None:
    logins = Logins(small.port)
    for _ in range(3):
        assert logins.log_in("alice", "wonderland") == "alice"
    assert logins.asked == 1
    with pytest.raises(BadCredentials, match="Provided username alice and/or password are incorrect"):
        logins.log_in("alice", "wrong")
    logins.clock.advance(2.1)
    logins.log_in("alice", "wonderland")
    assert logins.asked == 3
    with pytest.raises(BadCredentials, match="Password must not be null"):  # to which servers say yes
        logins.log_in("alice", "")
    assert logins.asked == 3
    never = Logins(small.port, validity_ms=0)
    never.log_in("alice", "wonderland")
    never.log_in("alice", "wonderland")
    assert never.asked == 2


def test_no_more_are_remembered_than_the_settings_say(small: SmallLdap) -> None:
    logins = Logins(small.port, max_entries=1)
    for name, password in (("alice", "wonderland"), ("bob", "builder"), ("alice", "wonderland")):
        logins.log_in(name, password)
    assert logins.asked == 3
    assert len(logins.authenticator._known) == 1


def test_a_dead_server_is_told_at_once_and_not_asked_by_everybody(caplog: pytest.LogCaptureFixture) -> None:
    logins = Logins(free_port())
    with caplog.at_level(logging.ERROR):
        for _ in range(20):
            with pytest.raises(BadCredentials, match=r"Unable to perform authentication: ldap://127\.0\.0\.1:"):
                logins.log_in("alice", "wonderland")
    assert caplog.text.count("Nobody can log in whom LDAP is asked for") == 1
    assert "wonderland" not in caplog.text
    fault = logins.authenticator._fault
    logins.clock.advance(2)
    with pytest.raises(BadCredentials) as caught:
        logins.log_in("alice", "wonderland")
    assert caught.value.message == f"Unable to perform authentication: {fault}"


def test_errands_of_many_are_done_a_few_at_once() -> None:
    errands, at_work, most = Errands(3), list[int](), list[int]()
    go_on = threading.Event()

    def work() -> None:
        at_work.append(1)
        most.append(len(at_work))
        if len(most) >= 3:
            go_on.set()
        assert go_on.wait(10)
        at_work.pop()

    found = [errands.begin(work) for _ in range(10)]
    for errand in found:
        errand.wait()
        assert errand.result is None
    assert max(most) == 3


# --- settings ----------------------------------------------------------------------------------------------------------


def test_settings_are_read() -> None:
    uri = "ldaps://a.example, ldap://b.example:1389"
    read = read_ldap({"uri": uri, "user_dn": TEMPLATE, "start_tls": True, "timeout": "500ms", **GROUPS})
    assert read.servers == (LdapServer("a.example", 636, True), LdapServer("b.example", 1389, False))
    assert (read.timeout_s, read.starts_tls, read.search_filter) == (0.5, True, "(uid={user})")
    assert read.group_roles[0] == ("admins", "dba")
    assert read == replace(read, group_filter="(member={dn})")


@pytest.mark.parametrize(
    ("parameters", "fault"),
    [
        (None, "needs parameters"),
        ({"uri": "ldap://x"}, "either user_dn"),
        ({"uri": "ldap://x", "user_dn": TEMPLATE, "search_base": BASE}, "either user_dn"),
        ({"user_dn": TEMPLATE}, "uri is missing"),
        ({"uri": "http://x", "user_dn": TEMPLATE}, "uri: http://x is none"),
        ({"uri": "ldap://x:y", "user_dn": TEMPLATE}, "uri: ldap://x:y is none"),
        ({"uri": "ldap://x", "user_dn": "uid=a"}, "has no {user} in it"),
        ({"uri": "ldap://x", "user_dn": TEMPLATE, "nosuch": 1}, "knows no parameter nosuch"),
        ({"uri": "ldap://x", "user_dn": TEMPLATE, "timeout": "soon"}, "timeout: soon is none"),
        ({"uri": "ldap://x", "user_dn": TEMPLATE, "timeout": "0s"}, "timeout: 0s is none"),
        ({"uri": "ldap://x", "user_dn": TEMPLATE, "start_tls": "maybe"}, "start_tls: maybe"),
        ({"uri": "ldap://x", "user_dn": TEMPLATE, "service_dn": "x"}, "go together"),
        ({"uri": "ldap://x", "user_dn": TEMPLATE, "group_roles": {"a": "b"}}, "needs group_base"),
        ({"uri": "ldap://x", "user_dn": TEMPLATE, "group_roles": "a"}, "must hold groups' names"),
    ],
)
def test_settings_that_are_wrong(parameters: object, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        read_ldap(parameters)


def test_settings_come_from_cassandra_yaml() -> None:
    text = f"authenticator={{class_name: {LDAP}, parameters: {{uri: 'ldap://x', user_dn: '{TEMPLATE}'}}}}"
    auth = apply_setting(Config(), text).auth
    assert auth.requires_login
    assert not auth.has_passwords
    kept = configure(["--user", "alice:means nothing", "--set", text]).auth
    assert (kept.authenticator, kept.first_user) == (LDAP, ("alice", "means nothing"))
    assert auth.ldap == LdapSettings((LdapServer("x", 389, False),), TEMPLATE)
    with pytest.raises(ConfigError, match="LdapAuthenticator needs parameters"):
        apply_setting(Config(), f"authenticator={LDAP}")


# --- whole nodes -------------------------------------------------------------------------------------------------------


def test_a_role_has_to_be_there_and_to_be_allowed_to_log_in(small: SmallLdap) -> None:
    ldap = read_ldap({"uri": f"ldap://127.0.0.1:{small.port}", "user_dn": TEMPLATE})
    settings = AuthSettings(LDAP, "CassandraAuthorizer", ldap=ldap, first_user=("alice", "means nothing"))
    node = auth_node(settings)
    alice = AuthSession(node)
    refused = alice.log_in("alice", "means nothing")
    assert isinstance(refused, Error)
    assert alice.log_in("alice", "wonderland") == AuthSuccess(None)
    refused = AuthSession(node).log_in("bob", "builder")
    assert isinstance(refused, Error)
    assert refused.error.message == "bob is not permitted to log in"
    alice.done("CREATE ROLE bob WITH LOGIN = true")
    bob = AuthSession(node, "bob", "builder")
    assert bob.error("CREATE ROLE x").startswith("User bob does not have sufficient privileges")
    assert dn_of("bob") in small.binds


@pytest.mark.slow
@pytest.mark.skipif(SLAPD is None, reason="OpenLDAP's slapd is not installed")
def test_a_server_with_slapd_over_tls(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(tmp_path / "slapd.pem")
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(other)
    with slapd(tmp_path, tmp_path / "slapd.pem") as port:
        parameters = {"uri": f"ldaps://127.0.0.1:{port}", "ca_file": str(tmp_path / "ca.pem"), **SEARCHED, **GROUPS}
        untrusted = {**parameters, "ca_file": str(other)}
        with pytest.raises(LdapUnavailable, match=r"(?i)certificate"):
            Directory(read_ldap(untrusted), time.monotonic).role_of("alice", "wonderland")
        settings = {"authenticator": {"class_name": LDAP, "parameters": parameters}}
        with cqlserver.start(settings={**settings, "authorizer": "CassandraAuthorizer"}) as server:
            server.execute("CREATE ROLE dba WITH LOGIN = true AND SUPERUSER = true")
            with connect(server.host, server.port, credentials=("alice", "wonderland")) as client:
                client.query("CREATE ROLE made_by_dba")
            redacted = server.execute("SELECT value FROM system_views.settings WHERE name = "
                                      "'authenticator.parameters.service_password'")  # fmt: skip
            assert redacted[0]["value"] == "<REDACTED>"
            assert SERVICE_PASSWORD not in server.log
