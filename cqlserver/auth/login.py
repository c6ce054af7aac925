"""How a connection becomes somebody's: the conversation behind AUTHENTICATE (auth/IAuthenticator.java).

An authenticator answers each AUTH_RESPONSE in steps, which end with the user, or raise BadCredentials.
"""

from typing import Protocol

from cqlserver.auth.caches import AuthCache
from cqlserver.auth.passwords import Passwords
from cqlserver.auth.roles import RoleManager
from cqlserver.auth.tables import AuthTables
from cqlserver.pending import Steps
from cqlserver.program.auth_settings import CacheSettings
from cqlserver.state import Peer, User
from protocol.errors import BadCredentials
from storage.environment.environment import Clock


class Authenticator(Protocol):
    """`java_name` is what drivers know it by."""

    @property
    def java_name(self) -> str: ...

    def user_of(self, token: bytes, peer: Peer | None) -> Steps[User]:
        """Whose token that is, or whose connection. Raises BadCredentials."""
        ...


class PasswordAuthenticator:
    """Name and password against the hash in system_auth.roles (auth/PasswordAuthenticator.java)."""

    java_name = "org.apache.cassandra.auth.PasswordAuthenticator"

    def __init__(self, tables: AuthTables, passwords: Passwords, clock: Clock, settings: CacheSettings) -> None:
        self._tables, self._passwords = tables, passwords
        self.cache = AuthCache(settings, clock.monotonic, tables, self._maybe_hash)

    def _maybe_hash(self, name: str) -> str | None:
        row = self._tables.maybe_row("SELECT salted_hash FROM system_auth.roles WHERE role = ?", name)
        return None if row is None else row["salted_hash"]

    def user_of(self, token: bytes, peer: Peer | None) -> Steps[User]:
        name, password = credentials(token)
        salted_hash = self.cache.get(name)
        if salted_hash is None:
            self.cache.forget(name)
            raise _wrong(name)
        if not self._passwords.is_known(password, salted_hash):
            checking = self._passwords.check(password, salted_hash)
            yield checking
            if not checking.result:
                raise _wrong(name)
            self._passwords.remember(password, salted_hash)
        return User(name)


class MutualTlsAuthenticator:
    """The certificate that the client showed, by its SPIFFE name (auth/MutualTlsAuthenticator.java). `fallback`: what is
    asked where it showed none."""

    def __init__(
        self, roles: RoleManager, clock: Clock, settings: CacheSettings, fallback: PasswordAuthenticator | None
    ) -> None:
        name = "MutualTlsAuthenticator" if fallback is None else "MutualTlsWithPasswordFallbackAuthenticator"
        self.java_name = f"org.apache.cassandra.auth.{name}"
        self._fallback = fallback
        self.cache = AuthCache(settings, clock.monotonic, roles.tables, roles.maybe_role_of_identity)

    def user_of(self, token: bytes, peer: Peer | None) -> Steps[User]:
        if self._fallback is not None and (peer is None or not peer.has_certificate):
            return (yield from self._fallback.user_of(token, peer))
        identity = next((name for name in peer.names if name.startswith("spiffe://")), None) if peer is not None else None
        if identity is None:
            raise BadCredentials("Unable to extract Spiffe from the certificate")
        role = self.cache.get(identity)
        if role is None:
            self.cache.forget(identity)
            raise BadCredentials(f"Certificate identity '{identity}' not authorized")
        return User(role)


def credentials(token: bytes) -> tuple[str, str]:
    """Name and password of SASL's PLAIN: [authorization id] NUL name NUL password. Raises BadCredentials."""
    parts = token.split(b"\0")
    if len(parts) > 3:
        raise BadCredentials("Credential format error: username or password is empty or contains NUL(\\0) character")
    if len(parts) < 2 or not parts[-1]:
        raise BadCredentials("Password must not be null")
    if len(parts) < 3 or not parts[-2]:
        raise BadCredentials("Authentication ID must not be null")
    return parts[-2].decode("utf-8", "replace"), parts[-1].decode("utf-8", "replace")


def _wrong(name: str) -> BadCredentials:
    return BadCredentials(f"Provided username {name} and/or password are incorrect")
