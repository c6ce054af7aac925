"""What cassandra.yaml says of authentication and authorization (auth/AuthConfig.java), and what goes together."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from cqlserver.program.ldap_settings import LdapSettings

LDAP: Final = "LdapAuthenticator"
AUTH_PACKAGE: Final = "org.apache.cassandra.auth."
ALLOW_ALL: Final = "AllowAllAuthenticator"

AUTH_CLASSES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "authenticator": (
            ALLOW_ALL,
            "PasswordAuthenticator",
            "MutualTlsAuthenticator",
            "MutualTlsWithPasswordFallbackAuthenticator",
            LDAP,
        ),
        "authorizer": ("AllowAllAuthorizer", "CassandraAuthorizer"),
        "role_manager": ("CassandraRoleManager",),
        "network_authorizer": ("AllowAllNetworkAuthorizer", "CassandraNetworkAuthorizer"),
        "cidr_authorizer": ("AllowAllCIDRAuthorizer", "CassandraCIDRAuthorizer"),
    }
)
"""Setting -> the classes that there are, the default one first."""
LEVELS: Final = frozenset("ANY ONE TWO THREE QUORUM ALL LOCAL_QUORUM EACH_QUORUM LOCAL_ONE NODE_LOCAL".split())


@dataclass(frozen=True, slots=True)
class CacheSettings:
    """`validity_ms` 0: nothing is kept. `update_interval_ms`: from then on an entry is read anew when it is asked for."""

    validity_ms: int = 2_000
    update_interval_ms: int | None = None
    max_entries: int = 1_000


@dataclass(frozen=True, slots=True)
class CidrSettings:
    """The parameters of the CIDR authorizer. Where it does not enforce, it tells of those whom it would refuse."""

    enforces: bool = False
    checks_superusers: bool = False
    refresh_minutes: int = 5
    """How long the groups of networks are believed."""


@dataclass(frozen=True, slots=True)
class AuthSettings:
    """Names of classes without their package. `ldap`: of LdapAuthenticator; `first_user`: name and password of the superuser
    that is made where there is no role yet; None: Cassandra's. `read_level`, `write_level`: at which system_auth is read and
    written among nodes."""

    authenticator: str = ALLOW_ALL
    authorizer: str = "AllowAllAuthorizer"
    role_manager: str = "CassandraRoleManager"
    network_authorizer: str = "AllowAllNetworkAuthorizer"
    cidr_authorizer: str = "AllowAllCIDRAuthorizer"
    cidr: CidrSettings = CidrSettings()
    traverses_from_root: bool = False
    permissions: CacheSettings = CacheSettings()
    roles: CacheSettings = CacheSettings()
    credentials: CacheSettings = CacheSettings()
    ldap: "LdapSettings | None" = None
    first_user: tuple[str, str] | None = None
    read_level: str = "LOCAL_QUORUM"
    write_level: str = "EACH_QUORUM"

    @property
    def requires_login(self) -> bool:
        return self.authenticator != ALLOW_ALL

    @property
    def has_passwords(self) -> bool:
        return self.authenticator in ("PasswordAuthenticator", "MutualTlsWithPasswordFallbackAuthenticator")

    @property
    def needs_certificates(self) -> bool:
        return self.authenticator.startswith("MutualTls")

    @property
    def authorizes(self) -> bool:
        return self.authorizer != "AllowAllAuthorizer"

    @property
    def checks(self) -> bool:
        """Whether statements of one who has logged in are asked for anything."""
        return self.authorizes or self.network_authorizer != "AllowAllNetworkAuthorizer" or self.checks_networks

    @property
    def checks_networks(self) -> bool:
        return self.cidr_authorizer != "AllowAllCIDRAuthorizer"


def class_of(name: str, chosen: object) -> str:
    """The class that a setting asks for, by its bare name. Raises ValueError, whose text says what to do."""
    parameters = chosen.get("parameters") if isinstance(chosen, dict) else None
    if isinstance(chosen, dict):
        chosen = chosen.get("class_name")
    found = str(chosen).removeprefix(AUTH_PACKAGE)
    if found not in AUTH_CLASSES[name]:
        known = " or ".join(AUTH_CLASSES[name])
        raise ValueError(f"{name}: {chosen} is not supported; use {known}")
    if found.startswith("MutualTls"):
        _check_validator(parameters)
    return found


def level_of(name: str, chosen: object) -> str:
    """The consistency level that a setting asks for. Raises ValueError."""
    level = str(chosen).upper()
    if level not in LEVELS:
        raise ValueError(f"{name}: {chosen} is no consistency level")
    return level


def cidr_settings(chosen: object) -> CidrSettings:
    """Raises ValueError, whose text says what to do."""
    parameters = chosen.get("parameters") if isinstance(chosen, dict) else None
    if not isinstance(parameters, dict):
        return CidrSettings()
    mode = str(parameters.get("cidr_authorizer_mode", "MONITOR")).upper()
    if mode not in ("MONITOR", "ENFORCE"):
        raise ValueError(f"cidr_authorizer_mode: {mode} is not supported; use MONITOR or ENFORCE")
    interval = str(parameters.get("cidr_groups_cache_refresh_interval") or 5)
    if not interval.isdecimal() or int(interval) < 1:
        raise ValueError(f"cidr_groups_cache_refresh_interval: {interval} is no number of minutes")
    checks_superusers = str(parameters.get("cidr_checks_for_superusers")).lower() == "true"
    return CidrSettings(mode == "ENFORCE", checks_superusers, int(interval))


def _check_validator(parameters: object) -> None:
    validator = parameters.get("validator_class_name") if isinstance(parameters, dict) else None
    if not validator:
        raise ValueError("authenticator.parameters.validator_class_name is not set")
    if str(validator).removeprefix(AUTH_PACKAGE) != "SpiffeCertificateValidator":
        raise ValueError(f"validator_class_name: {validator} is not supported; use SpiffeCertificateValidator")


def check_together(settings: AuthSettings, requires_certificates: bool = False) -> None:
    """Raises ValueError where the settings contradict each other, in Cassandra's words."""
    if settings.needs_certificates and not requires_certificates:
        raise ValueError(
            "MutualTlsAuthenticator requires client_encryption_options.enabled to be true"
            " & client_encryption_options.require_client_auth to be true"
        )
    if settings.requires_login:
        return
    if settings.authorizes:
        raise ValueError(
            f"{AUTH_PACKAGE}{settings.authorizer} has authorization enabled which requires "
            f"{AUTH_PACKAGE}{settings.authenticator} to enable authentication"
        )
    if settings.network_authorizer != "AllowAllNetworkAuthorizer":
        raise ValueError(f"{settings.network_authorizer} can't be used with {settings.authenticator}")
    if settings.checks_networks:
        raise ValueError(f"{settings.cidr_authorizer} can't be used with {settings.authenticator}")
