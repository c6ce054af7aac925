"""What cassandra.yaml says of an LDAP server that knows the users (the parameters of LdapAuthenticator)."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from cqlserver.program.auth_settings import LDAP

PORTS: Final = {"ldap": 389, "ldaps": 636}
TIMEOUT_S: Final = 5.0
_USER: Final = "{user}"
"""In templates: the name that a client gave, escaped."""
_NAMES: Final = frozenset(
    """
    uri user_dn search_base search_filter service_dn service_password service_password_file role_attribute group_base
    group_filter group_roles default_role start_tls ca_file timeout
    """.split()
)


@dataclass(frozen=True, slots=True)
class LdapServer:
    host: str
    port: int
    is_encrypted: bool

    def __str__(self) -> str:
        return f"{'ldaps' if self.is_encrypted else 'ldap'}://{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class LdapSettings:
    """`user_dn`: a template of users' names there, or they are searched, in `search_base` with `search_filter`, as
    `service_dn` (None: as nobody). Roles: that of `role_attribute` of the user's entry, else the first of `group_roles` (a
    group's name -> role) whose group has the user, else `default_role`, else the one of the user's own name, where none of
    the first two is set. `timeout_s`: for each step, of which a login has three at most."""

    servers: tuple[LdapServer, ...]
    user_dn: str | None = None
    search_base: str = ""
    search_filter: str = "(uid={user})"
    service_dn: str | None = None
    service_password: str | None = None
    service_password_file: Path | None = None
    role_attribute: str | None = None
    group_base: str = ""
    group_filter: str = "(member={dn})"
    group_roles: tuple[tuple[str, str], ...] = ()
    default_role: str | None = None
    starts_tls: bool = False
    ca_file: Path | None = None
    timeout_s: float = TIMEOUT_S


def read_ldap(parameters: object) -> LdapSettings:
    """Raises ValueError, whose text says what to do."""
    if not isinstance(parameters, Mapping):
        raise ValueError(f"{LDAP} needs parameters: uri, and user_dn or search_base")
    given = {str(name): value for name, value in parameters.items() if value is not None}
    unknown = sorted(given.keys() - _NAMES)
    if unknown:
        raise ValueError(f"{LDAP} knows no parameter {unknown[0]}; it has {', '.join(sorted(_NAMES))}")
    if "uri" not in given:
        raise ValueError(f"{LDAP}: uri is missing, like ldaps://ldap.example.org")
    user_dn = _maybe_text(given, "user_dn")
    if (user_dn is None) == ("search_base" not in given):
        raise ValueError(f"{LDAP}: write either user_dn, like uid={{user}},ou=people,dc=example,dc=org, or search_base")
    for name in ("user_dn", "search_filter"):
        if name in given and _USER not in str(given[name]):
            raise ValueError(f"{LDAP}: {name} is {given[name]}, and has no {_USER} in it")
    if {"service_password", "service_password_file"} <= given.keys():
        raise ValueError(f"{LDAP}: write either service_password or service_password_file")
    if ("service_dn" in given) != bool(given.keys() & {"service_password", "service_password_file"}):
        raise ValueError(f"{LDAP}: service_dn and its service_password_file go together")
    password_file, ca_file = _maybe_text(given, "service_password_file"), _maybe_text(given, "ca_file")
    starts_tls = given.get("start_tls", False)
    if str(starts_tls).lower() not in ("true", "false"):
        raise ValueError(f"{LDAP}: start_tls: {starts_tls} is neither true nor false")
    return LdapSettings(
        tuple(_server(uri.strip()) for uri in str(given["uri"]).split(",")),
        user_dn,
        str(given.get("search_base", "")),
        str(given.get("search_filter", "(uid={user})")),
        _maybe_text(given, "service_dn"),
        _maybe_text(given, "service_password"),
        Path(password_file) if password_file is not None else None,
        _maybe_text(given, "role_attribute"),
        str(given.get("group_base", "")),
        str(given.get("group_filter", "(member={dn})")),
        _group_roles(given),
        _maybe_text(given, "default_role"),
        str(starts_tls).lower() == "true",
        Path(ca_file) if ca_file is not None else None,
        _seconds(given.get("timeout", "5s")),
    )


def _server(uri: str) -> LdapServer:
    parts = urlsplit(uri)
    try:
        port = parts.port
    except ValueError:
        port = -1
    if parts.scheme not in PORTS or not parts.hostname or parts.path not in ("", "/") or port == -1:
        raise ValueError(f"{LDAP}: uri: {uri} is none; write ldap://HOST:PORT or ldaps://HOST:PORT, several with commas")
    return LdapServer(parts.hostname, port or PORTS[parts.scheme], parts.scheme == "ldaps")


def _group_roles(given: Mapping[str, object]) -> tuple[tuple[str, str], ...]:
    value = given.get("group_roles", {})
    if not isinstance(value, Mapping):
        raise ValueError(f"{LDAP}: group_roles must hold groups' names and their roles, like admins: dba")
    if value and "group_base" not in given:
        raise ValueError(f"{LDAP}: group_roles needs group_base: where groups are searched")
    return tuple((str(group), str(role)) for group, role in value.items())


def _seconds(value: object) -> float:
    text = str(value).strip()
    for unit, factor in (("ms", 0.001), ("s", 1.0)):
        number = text.removesuffix(unit)
        if number != text and number.strip().isdecimal() and int(number):
            return int(number) * factor
    raise ValueError(f"{LDAP}: timeout: {value} is none; write a number and ms or s, like 5s")


def _maybe_text(given: Mapping[str, object], name: str) -> str | None:
    return None if name not in given else str(given[name])
