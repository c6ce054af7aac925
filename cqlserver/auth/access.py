"""May this user do that? What Cassandra's ClientState.java asks before each statement, and who knows the answers."""

from functools import cached_property
from typing import TYPE_CHECKING, Final

from cqlserver.auth.caches import AuthCache
from cqlserver.auth.grants import NONE, Grants, Permissions
from cqlserver.auth.login import Authenticator, MutualTlsAuthenticator, PasswordAuthenticator
from cqlserver.auth.networks import Datacenters, Networks
from cqlserver.auth.ownership import created, dropped
from cqlserver.auth.passwords import Passwords
from cqlserver.auth.resources import Resource, table
from cqlserver.auth.roles import DEFAULT_SUPERUSER_HASH, RoleManager
from cqlserver.auth.tables import DEFAULT_SUPERUSER, AuthTables
from cqlserver.state import ClientState, User
from cqlserver.terms.type_names import resolve_type
from grammar import tree
from grammar.tree import ResourceKind
from protocol.errors import BadCredentials, InvalidRequest, Unauthorized
from protocol.responses import SchemaChange
from protocol.types import CqlType
from storage.environment.errands import Errands
from storage.schema.metadata import REPLICATED_SYSTEM_KEYSPACES, Schema, is_local_system_keyspace, is_system_keyspace

if TYPE_CHECKING:
    from cqlserver.node import Node

NO_KEYSPACE: Final = "No keyspace has been specified. USE a keyspace, or explicitly specify keyspace.tablename"
NOT_LOGGED_IN: Final = "You have not logged in"
ANONYMOUS_REFUSED: Final = "You have to be logged in and not anonymous to perform this request"
_DDL: Final = frozenset(("CREATE", "ALTER", "DROP"))
_DATA: Final = frozenset((ResourceKind.ALL_KEYSPACES, ResourceKind.KEYSPACE, ResourceKind.ALL_TABLES, ResourceKind.TABLE))
_FUNCTIONS: Final = frozenset((ResourceKind.KEYSPACE_FUNCTIONS, ResourceKind.FUNCTION))
_MBEAN_DOMAINS: Final = ("org.apache.cassandra.", "java.", "com.sun.management", "jdk.management.", "JMImplementation", "*")
"""Where a Cassandra has MBeans. There are none here, but permissions on them are kept."""
_ALWAYS_READABLE: Final = frozenset(
    [
        *(table("system", name) for name in "local peers peers_v2 size_estimates table_estimates".split()),
        *(table("system_traces", name) for name in ("sessions", "events")),
    ]
)
"""By everybody who has logged in, since drivers and tools rely on them; so is all of the schema."""
_SCHEMA_KEYSPACES: Final = frozenset(("system_schema", "system_virtual_schema"))


LDAP_AT_ONCE: Final = 8
"""Logins that LDAP is asked for; the others wait their turn."""


class Access:
    """Roles, permissions and logins of one node."""

    def __init__(self, node: "Node") -> None:
        settings, clock = node.config.auth, node.environment.clock
        self.settings, self._node = settings, node
        self.clock = clock.monotonic
        self.believed_s = min(settings.permissions.validity_ms, settings.roles.validity_ms) / 1000
        self.tables = tables = AuthTables(node)
        self.passwords = Passwords(node.environment.workers, node.environment.rng.fork("passwords"))
        self.roles = RoleManager(tables, clock, settings.roles)
        self.grants = Grants(tables, self.roles, clock, settings.permissions) if settings.authorizes else None
        self.networks = Networks(tables, self.roles, clock, settings)
        self.datacenters: Datacenters | None = None
        if settings.network_authorizer == "CassandraNetworkAuthorizer":
            here = node.ring_node.datacenter
            self.datacenters = Datacenters(tables, self.roles, clock, settings.permissions, here)

    def start(self) -> None:
        """Before anybody logs in: a superuser, where there is no role at all; and the groups of networks."""
        self._create_first_user()
        if self.settings.checks_networks:
            self.networks.reload()

    def _create_first_user(self) -> None:
        if self.settings.first_user is None:
            self.roles.create_first(DEFAULT_SUPERUSER, lambda: DEFAULT_SUPERUSER_HASH)
            return
        name, password = self.settings.first_user

        def hashed() -> str:
            hashing = self.passwords.hashed(password)
            hashing.wait()
            return hashing.result

        self.roles.create_first(name, hashed)

    @cached_property
    def authenticator(self) -> Authenticator:
        clock, settings = self._node.environment.clock, self.settings
        passwords = PasswordAuthenticator(self.tables, self.passwords, clock, settings.credentials)
        if settings.authenticator == "PasswordAuthenticator":
            return passwords
        if settings.ldap is not None:
            from cqlserver.auth.ldap import LdapAuthenticator

            errands, rng = Errands(LDAP_AT_ONCE), self._node.environment.rng.fork("ldap")
            return LdapAuthenticator(settings.ldap, settings.credentials, clock, rng, errands.begin)
        fallback = passwords if settings.has_passwords else None
        return MutualTlsAuthenticator(self.roles, clock, settings.credentials, fallback)

    @property
    def maybe_credentials_cache(self) -> "AuthCache[str, str | None] | None":
        authenticator = self.authenticator
        return authenticator.cache if isinstance(authenticator, PasswordAuthenticator) else None

    # --- who --------------------------------------------------------------------------------------------------------------

    def log_in(self, state: ClientState, user: User) -> None:
        """ClientState.login. Raises BadCredentials."""
        if not self.roles.can_login(user.name):
            raise BadCredentials(f"{user.name} is not permitted to log in")
        state.user = user

    def is_super(self, user: User) -> bool:
        return user.is_system or (not user.is_anonymous and self.roles.is_super(user.name))

    def roles_of(self, user: User) -> frozenset[str]:
        return frozenset(self.roles.roles_of(user.name))

    def validate_login(self, state: ClientState) -> User:
        """Raises Unauthorized."""
        user = state.user
        if user is None:
            raise Unauthorized(NOT_LOGGED_IN)
        if user.is_system:
            return user
        if self.datacenters is not None and not self.datacenters.permit_here(user.name):
            raise Unauthorized(f"You do not have access to this datacenter ({self.datacenter})")
        if self.settings.checks_networks and not self.networks.permit(user.name, state.address):
            raise Unauthorized(f"You do not have access from this IP {state.address}")
        return user

    def ensure_not_anonymous(self, state: ClientState) -> User:
        """Raises Unauthorized."""
        user = self.validate_login(state)
        if user.is_anonymous:
            raise Unauthorized(ANONYMOUS_REFUSED)
        return user

    @property
    def schema(self) -> Schema:
        return self._node.schema

    @property
    def datacenter(self) -> str:
        return self._node.ring_node.datacenter

    def datacenters_text(self, role: str) -> str:
        """As LIST ROLES shows them."""
        if self.datacenters is None:
            return "ALL"
        allowed = self.datacenters.allowed(role)
        return "n/a" if allowed is None else ", ".join(sorted(allowed)) or "ALL"

    # --- resources --------------------------------------------------------------------------------------------------------

    def resource(self, written: tree.Resource, used: str | None) -> Resource:
        """What a statement means, where `used` is the keyspace in use. Raises InvalidRequest."""
        kind = ResourceKind.MBEAN if written.kind is ResourceKind.MBEANS else written.kind
        of = written.keyspace
        if kind is ResourceKind.TABLE and of is None:
            if used is None:
                raise InvalidRequest(NO_KEYSPACE)
            of = used
        types: tuple[CqlType, ...] = ()
        if kind is ResourceKind.FUNCTION:
            assert of is not None
            schema = self._node.schema
            types = tuple(resolve_type(argument, of, schema) for argument in written.argument_types)
        return Resource(kind, of, written.name, types)

    def exists(self, resource: Resource) -> bool:
        """IResource.exists. Raises InvalidRequest for the server's own functions."""
        schema = self._node.schema
        if resource.keyspace == "system" and resource.kind in _FUNCTIONS:
            raise InvalidRequest("Altering permissions on builtin functions is not supported")
        match resource.kind:
            case ResourceKind.KEYSPACE | ResourceKind.ALL_TABLES | ResourceKind.KEYSPACE_FUNCTIONS:
                return resource.keyspace in schema.keyspaces
            case ResourceKind.TABLE:
                assert resource.keyspace is not None
                assert resource.of is not None
                return schema.maybe_table(resource.keyspace, resource.of) is not None
            case ResourceKind.ROLE:
                assert resource.of is not None
                return self.roles.exists(resource.of)
            case ResourceKind.FUNCTION:
                of = schema.keyspaces.get(resource.keyspace or "")
                signature = resource.of or "", tuple(argument.cql() for argument in resource.argument_types)
                return of is not None and (signature in of.functions or signature in of.aggregates)
            case ResourceKind.MBEAN:
                assert resource.of is not None
                return resource.of.startswith(_MBEAN_DOMAINS)
        return True

    def is_virtual(self, name: str) -> bool:
        of = self._node.schema.keyspaces.get(name)
        return of is not None and of.is_virtual

    def schema_changed(self, before: Schema, change: SchemaChange, user: User | None) -> None:
        """What is new becomes its creator's; what is gone is taken from everybody (AuthSchemaChangeListener.java)."""
        if self.grants is None:
            return
        if change.change == "DROPPED":
            for resource in dropped(before, change):
                self.grants.revoke_all_on(resource)
        elif change.change == "CREATED" and user is not None and not user.is_anonymous and not user.is_system:
            for resource in created(change, self.schema):
                self.grants.grant(user.name, resource.applicable, resource)

    # --- what -------------------------------------------------------------------------------------------------------------

    def permissions(self, user: User, resource: Resource) -> Permissions:
        """What a user may do with a resource, not counting its parents."""
        if self.grants is None or self.is_super(user):
            return frozenset(resource.applicable)
        if user.is_anonymous:
            return NONE
        return self.grants.permissions(user.name, resource)

    def ensure_data(self, state: ClientState, permission: str, resource: Resource) -> None:
        """For data: what nobody may do comes first. Raises Unauthorized, InvalidRequest."""
        if resource.keyspace is None and resource.kind is not ResourceKind.ALL_KEYSPACES:
            raise InvalidRequest("You have not set a keyspace for this session")
        user = self.validate_login(state)
        if user.is_system:
            return
        if resource.keyspace is not None and permission in _DDL:
            _prevent_change(resource.keyspace, resource, permission)
        if permission == "SELECT" and (resource in _ALWAYS_READABLE or _is_schema(resource)):
            return
        self.ensure(state, permission, resource)

    def ensure(self, state: ClientState, permission: str, resource: Resource) -> None:
        """For anything. Raises Unauthorized."""
        if self.grants is None:
            return
        user = state.user
        if user is None:
            raise Unauthorized(NOT_LOGGED_IN)
        if not self._may(user, permission, resource):
            raise Unauthorized(f"User {user.name} has no {permission} permission on {resource} or any of its parents")

    def has(self, state: ClientState, permission: str, resource: Resource) -> bool:
        """Raises Unauthorized where nobody has logged in."""
        user = self.validate_login(state)
        if user.is_system or self.grants is None:
            return True
        return any(permission in self.permissions(user, of) for of in resource.chain())

    def _may(self, user: User, permission: str, resource: Resource) -> bool:
        if self.is_super(user):
            return any(permission in of.applicable for of in resource.chain())
        chain = list(resource.chain())
        if resource.kind in _DATA and resource.keyspace is not None and is_system_keyspace(resource.keyspace):
            chain.pop()  # what is granted on all keyspaces leaves the system's out
        if self.settings.traverses_from_root:
            chain.reverse()
        return any(permission in self.permissions(user, of) for of in chain)


def _is_schema(resource: Resource) -> bool:
    return resource.kind is ResourceKind.TABLE and resource.keyspace in _SCHEMA_KEYSPACES


def _prevent_change(name: str, resource: Resource, permission: str) -> None:
    if is_local_system_keyspace(name):
        raise Unauthorized(f"{name} keyspace is not user-modifiable.")
    if name.lower() in REPLICATED_SYSTEM_KEYSPACES and not (
        permission == "ALTER" and resource.kind is ResourceKind.KEYSPACE
    ):
        raise Unauthorized(f"Cannot {permission} {resource}")
