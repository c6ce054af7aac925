"""Users that an LDAP server knows: whoever it lets bind with a name and a password has logged in, as a role that is made by
CREATE ROLE as ever (with LOGIN; its password, if any, means nothing).

The server is asked in threads of this module's own, since it may let one wait: beside the loop, with a bound to each step.
What it said is believed for credentials_validity; while it can't be reached nobody waits for it a second time.
"""

import hashlib
import logging
import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from math import ceil
from typing import TYPE_CHECKING, Any, Final, TypeVar

from cqlserver.auth.login import credentials
from cqlserver.pending import Steps
from cqlserver.program.auth_settings import CacheSettings
from cqlserver.program.ldap_settings import LdapServer, LdapSettings
from cqlserver.state import Peer, User
from protocol.errors import BadCredentials
from storage.environment.environment import Clock, Rng
from storage.environment.errands import Errand

if TYPE_CHECKING:
    import ldap3

log = logging.getLogger("cqlserver.auth")

T = TypeVar("T")
Begin = Callable[[Callable[[], T]], Errand[T]]

UNREACHABLE_S: Final = 1.0
"""For so long a server that could not be reached is not tried again."""
TOLD_S: Final = 60.0
"""The log tells of it once in that time."""
INVALID_CREDENTIALS: Final = 49
"""RFC 4511, appendix A."""
_SUCCESS: Final = 0
_NOBODY_KNOWN: Final = frozenset((32, 34))
"""No such object, or no name that one can have: the user is not there."""


class LdapUnavailable(Exception):
    """No server could be asked, or one did not do what the settings have it do."""


class LdapAuthenticator:
    """`begin` has a function done beside the loop."""

    java_name = "org.apache.cassandra.auth.PasswordAuthenticator"
    """The conversation is its own, and there are drivers that log in to those alone that they know."""

    def __init__(
        self, settings: LdapSettings, cache: CacheSettings, clock: Clock, rng: Rng, begin: "Begin[str | None]"
    ) -> None:
        self._directory = Directory(settings, clock.monotonic)
        self._begin, self._clock, self._key = begin, clock.monotonic, rng.bytes(32)
        self._validity_s, self._max_entries = cache.validity_ms / 1000, cache.max_entries
        self._known: dict[bytes, tuple[float, str]] = {}
        self._fault, self._fault_until_s, self._tell_from_s = "", 0.0, 0.0

    def user_of(self, token: bytes, peer: Peer | None) -> Steps[User]:
        name, password = credentials(token)
        digest = hashlib.blake2b(f"{name}\0{password}".encode("utf-8", "surrogatepass"), key=self._key).digest()
        known = self._known.get(digest)
        if known is not None and known[0] > self._clock():
            return User(known[1])
        asking = self._begin(lambda: self._role_of(name, password))
        yield asking
        try:
            role = asking.result
        except LdapUnavailable as error:
            # as where system_auth can't be read (auth/PasswordAuthenticator.java)
            raise BadCredentials(f"Unable to perform authentication: {error}") from None
        if role is None:
            self._known.pop(digest, None)
            raise BadCredentials(f"Provided username {name} and/or password are incorrect")
        self._remember(digest, role)
        return User(role)

    def forget(self) -> None:
        """All that is believed."""
        self._known.clear()

    def _remember(self, digest: bytes, role: str) -> None:
        while self._known and len(self._known) >= self._max_entries:
            del self._known[next(iter(self._known))]
        if self._validity_s and self._max_entries:
            self._known[digest] = self._clock() + self._validity_s, role

    def _role_of(self, name: str, password: str) -> str | None:
        """Blocks. Raises LdapUnavailable."""
        if self._clock() < self._fault_until_s:  # since this one waited for its turn
            raise LdapUnavailable(self._fault)
        try:
            return self._directory.role_of(name, password)
        except LdapUnavailable as error:
            now_s = self._clock()
            self._fault, self._fault_until_s = str(error), now_s + UNREACHABLE_S
            if now_s >= self._tell_from_s:
                self._tell_from_s = now_s + TOLD_S
                log.error("Nobody can log in whom LDAP is asked for: %s", error)
            raise


class Directory:
    """What is asked of the servers, of which the first one counts that answers. Blocks: each of them has `timeout_s`, and
    once more what is left of it when its last answer is begun to be waited for."""

    def __init__(self, settings: LdapSettings, clock: Callable[[], float]) -> None:
        self._settings, self._clock = settings, clock

    def role_of(self, name: str, password: str) -> str | None:
        """None where name or password are wrong. Raises LdapUnavailable."""
        faults = []
        for server in self._settings.servers:
            try:
                return self._role_at(server, name, password)
            except LdapUnavailable as error:
                faults.append(f"{server}: {error}")
        raise LdapUnavailable("; ".join(faults))

    def _role_at(self, server: LdapServer, name: str, password: str) -> str | None:
        settings = self._settings
        until_s = self._clock() + settings.timeout_s
        if settings.user_dn is not None:
            dn = settings.user_dn.replace("{user}", _escaped_in_dn(name))
        else:
            found = self._found(server, name, until_s)
            if found is None:
                return None
            dn = found
        with self._bound(server, dn, password, until_s) as connection:
            if connection is None:
                return None
            return self._role(server, connection, name, dn, until_s)

    def _found(self, server: LdapServer, name: str, until_s: float) -> str | None:
        """The user's name in the directory."""
        settings = self._settings
        wanted = settings.search_filter.replace("{user}", _escaped_in_filter(name))
        with self._service(server, until_s) as connection:
            entries = _searched(connection, settings.search_base, wanted, ())
        if len(entries) > 1:
            log.warning("LDAP has several entries for the user %s: %s", name, ", ".join(dn for dn, _ in entries))
        return entries[0][0] if len(entries) == 1 else None

    def _role(
        self, server: LdapServer, connection: "ldap3.Connection", name: str, dn: str, until_s: float
    ) -> str | None:
        settings = self._settings
        if settings.role_attribute is None and not settings.group_roles:
            return settings.default_role or name
        if settings.service_dn is None:
            return self._mapped(connection, name, dn)
        with self._service(server, until_s) as service:
            return self._mapped(service, name, dn)

    def _mapped(self, connection: "ldap3.Connection", name: str, dn: str) -> str | None:
        settings = self._settings
        if settings.role_attribute is not None:
            for _, attributes in _searched(connection, dn, "(objectClass=*)", (settings.role_attribute,), is_entry=True):
                values = attributes.get(settings.role_attribute) or []
                if values:
                    return str(values[0] if isinstance(values, list) else values)
        if settings.group_roles:
            wanted = settings.group_filter.replace("{dn}", _escaped_in_filter(dn))
            wanted = wanted.replace("{user}", _escaped_in_filter(name))
            groups = {_normal(group) for group, _ in _searched(connection, settings.group_base, wanted, ())}
            short = {group.partition(",")[0].partition("=")[2] for group in groups}
            for group, role in settings.group_roles:
                if _normal(group) in groups or group.lower() in short:
                    return role
        return settings.default_role

    def _service_password(self) -> str | None:
        settings = self._settings
        if settings.service_password_file is None:
            return settings.service_password
        try:
            return settings.service_password_file.read_text().strip("\r\n")
        except OSError as error:
            raise LdapUnavailable(f"{settings.service_password_file}: {error.strerror}") from error

    @contextmanager
    def _service(self, server: LdapServer, until_s: float) -> "Iterator[ldap3.Connection]":
        """A connection of who may search."""
        with self._bound(server, self._settings.service_dn, self._service_password(), until_s) as connection:
            if connection is None:
                raise LdapUnavailable(f"{self._settings.service_dn} can't log in there: its password is wrong")
            yield connection

    @contextmanager
    def _bound(
        self, server: LdapServer, dn: str | None, password: str | None, until_s: float
    ) -> "Iterator[ldap3.Connection | None]":
        """A connection of somebody (dn None: of nobody); None where the server does not let them in."""
        import ldap3
        from ldap3.core.exceptions import LDAPException

        settings, left_s = self._settings, until_s - self._clock()
        if left_s <= 0:
            raise LdapUnavailable(f"it takes longer than {settings.timeout_s:g} s")
        tls = None
        if server.is_encrypted or settings.starts_tls:
            ca_file = None if settings.ca_file is None else str(settings.ca_file)
            tls = ldap3.Tls(validate=ssl.CERT_REQUIRED, ca_certs_file=ca_file)
        try:
            peer = ldap3.Server(
                server.host, server.port, server.is_encrypted, tls=tls, get_info=ldap3.NONE,
                connect_timeout=left_s,
            )  # fmt: skip
            connection = ldap3.Connection(
                peer, dn, password, authentication=ldap3.ANONYMOUS if dn is None else ldap3.SIMPLE,
                receive_timeout=ceil(left_s), read_only=True, auto_referrals=False,
            )  # fmt: skip
            try:
                connection.open(read_server_info=False)
                if settings.starts_tls and not server.is_encrypted and not connection.start_tls(read_server_info=False):
                    raise LdapUnavailable("it does not begin TLS")
                if connection.bind(read_server_info=False):
                    yield connection
                    return
                code = connection.result["result"]
                if code == INVALID_CREDENTIALS or code in _NOBODY_KNOWN:
                    yield None
                    return
                raise LdapUnavailable(f"it refuses to let {dn or 'nobody'} in: {connection.result['description']}")
            finally:
                sock = connection.socket
                connection.unbind()
                if sock is not None:
                    sock.close()  # which ldap3 leaves to the garbage collector where it did not come to be connected
        except (LDAPException, OSError) as error:
            raise LdapUnavailable(str(error) or type(error).__name__) from error


def _searched(
    connection: "ldap3.Connection", base: str, wanted: str, attributes: Sequence[str], is_entry: bool = False
) -> list[tuple[str, dict[str, Any]]]:
    """(name, attributes) of the entries below a base, or that it names."""
    import ldap3

    scope = ldap3.BASE if is_entry else ldap3.SUBTREE
    connection.search(base, wanted, scope, attributes=list(attributes) or [ldap3.NO_ATTRIBUTES])
    code = connection.result["result"]
    if code not in (_SUCCESS, *_NOBODY_KNOWN):
        raise LdapUnavailable(f"it does not search {base}: {connection.result['description']}")
    found = connection.response or []
    return [(entry["dn"], entry.get("attributes", {})) for entry in found if entry["type"] == "searchResEntry"]


def _escaped_in_dn(text: str) -> str:
    from ldap3.utils.dn import escape_rdn

    escaped: str = escape_rdn(text)
    return escaped


def _escaped_in_filter(text: str) -> str:
    from ldap3.utils.conv import escape_filter_chars

    escaped: str = escape_filter_chars(text)
    return escaped


def _normal(dn: str) -> str:
    """As names are compared: without regard to case, and to blanks behind commas."""
    return ",".join(part.strip() for part in dn.lower().split(","))
