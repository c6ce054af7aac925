"""Plans of statements about roles and identities (cql3/statements/*Role*Statement.java, *Identity*Statement.java).

As all statements in Cassandra, each first asks whether the user may, then whether it makes sense, then does it; PREPARE asks
the second. Those about permissions stand in grant_statements.py.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from cqlserver.auth import grant_statements, passwords
from cqlserver.auth.access import Access
from cqlserver.auth.listing import ROLES, USERS, listed
from cqlserver.auth.resources import ALL_ROLES, Resource
from cqlserver.auth.resources import role as role_resource
from cqlserver.auth.roles import CLASS_NAME, RoleChange
from cqlserver.java_order import texts_hash_ordered
from cqlserver.pending import Pending, Steps
from cqlserver.plans.schema_plans import ImmediatePlan
from cqlserver.state import ClientState, User
from grammar import tree
from protocol.errors import InvalidRequest, Unauthorized
from protocol.requests import QueryOptions
from protocol.responses import Result, VoidResult

if TYPE_CHECKING:
    from cqlserver.node import Node

Outcome: TypeAlias = "Result | Pending[Result]"


class Conduct(NamedTuple):
    """What a kind of statement does: `authorize` and `validate` raise RequestError."""

    authorize: Callable[[Access, ClientState, Any], object]
    validate: Callable[[Access, ClientState, Any], object]
    run: Callable[[Access, ClientState, Any], Outcome]


_VOID: Final = VoidResult()
_SAID: Final = ("superuser", "password", "login", "options", "hashed_password")
"""Options in the order in which they are checked."""


def role_plan(node: "Node", statement: tree.Statement, text: str) -> ImmediatePlan:
    if isinstance(statement, tree.Grant | tree.Revoke | tree.ListPermissions) and statement.resource is not None:
        grant_statements.check_function(node.access, statement, statement.resource, text)
    conduct = _CONDUCTS[type(statement)]

    def execute(state: ClientState, options: QueryOptions) -> Outcome:
        access = node.access
        conduct.authorize(access, state, statement)
        conduct.validate(access, state, statement)
        return conduct.run(access, state, statement)

    return ImmediatePlan(execute, validate=lambda state: conduct.validate(node.access, state, statement))


def _check(access: Access, state: ClientState, permission: str, resource: Resource) -> User:
    """AuthenticationStatement.checkPermission: the user, who may. Raises Unauthorized."""
    user = state.user
    try:
        access.ensure(state, permission, resource)
    except Unauthorized as error:
        if user is None:
            raise
        raise Unauthorized(
            f"User {user.name} does not have sufficient privileges to perform the requested operation"
        ) from error
    return user if user is not None else access.validate_login(state)


# --- CREATE, ALTER, DROP -------------------------------------------------------------------------------------------------


def _authorize_create(access: Access, state: ClientState, statement: tree.CreateRole) -> None:
    user = _check(access, state, "CREATE", ALL_ROLES)
    if statement.options.superuser and not access.is_super(user):
        raise Unauthorized("Only superusers can create a role with superuser status")


def _validate_create(access: Access, state: ClientState, statement: tree.CreateRole) -> None:
    _validate_options(access, statement.options)
    if not statement.name:
        raise InvalidRequest("Role name can't be an empty string")
    _validate_places(access, statement.options)
    access.ensure_not_anonymous(state)
    if not statement.if_not_exists and access.roles.exists(statement.name):
        raise InvalidRequest(f"{statement.name} already exists")


def _create(access: Access, state: ClientState, statement: tree.CreateRole) -> Outcome:
    if statement.if_not_exists and access.roles.exists(statement.name):
        return _VOID
    return Pending.begun(_creation(access, access.ensure_not_anonymous(state), statement.name, statement.options))


def _creation(access: Access, user: User, name: str, options: tree.RoleOptions) -> Steps[Result]:
    salted_hash = yield from _hashed(access, options)
    access.roles.create(name, RoleChange(options.superuser, options.login, salted_hash))
    if access.datacenters is not None:
        access.datacenters.write(name, options.datacenters or ())
    access.networks.write(name, options.cidr_groups or ())
    if access.grants is not None and not user.is_system:
        resource = role_resource(name)
        access.grants.grant(user.name, resource.applicable, resource)
    return _VOID


def _authorize_alter(access: Access, state: ClientState, statement: tree.AlterRole) -> None:
    name, options = statement.name, statement.options
    user = access.validate_login(state)
    is_super = access.is_super(user)
    if options.superuser is not None and name in access.roles_of(user):
        raise Unauthorized("You aren't allowed to alter your own superuser status or that of a role granted to you")
    for what, value in (
        ("superuser status", options.superuser),
        ("access to datacenters.", options.datacenters),
        ("access from CIDR groups.", options.cidr_groups),
    ):
        if value is not None and not is_super:
            raise Unauthorized(f"Only superusers are allowed to alter {what}")
    if is_super:
        return
    if user.name == name:
        for option in _said(options):
            if option not in ("PASSWORD", "HASHED_PASSWORD") or not access.settings.has_passwords:
                raise Unauthorized(f"You aren't allowed to alter {option}")
    else:
        _check(access, state, "ALTER", role_resource(name))


def _validate_alter(access: Access, state: ClientState, statement: tree.AlterRole) -> None:
    options = statement.options
    _validate_options(access, options)
    if options == tree.RoleOptions():
        raise InvalidRequest("ALTER [ROLE|USER] can't be empty")
    _validate_places(access, options)
    access.ensure_not_anonymous(state)
    if not statement.if_exists and not access.roles.exists(statement.name):
        raise InvalidRequest(f"Role {statement.name} doesn't exist")


def _alter(access: Access, state: ClientState, statement: tree.AlterRole) -> Outcome:
    name, options = statement.name, statement.options
    if statement.if_exists and not access.roles.exists(name):
        return _VOID
    if options.password is not None:
        access.roles.check_password_may_change(name)
    return Pending.begun(_alteration(access, name, options))


def _alteration(access: Access, name: str, options: tree.RoleOptions) -> Steps[Result]:
    salted_hash = yield from _hashed(access, options)
    access.roles.alter(name, RoleChange(options.superuser, options.login, salted_hash))
    if options.datacenters is not None:
        if access.datacenters is None:
            raise InvalidRequest("ACCESS TO DATACENTERS operations not supported by AllowAllNetworkAuthorizer")
        access.datacenters.write(name, options.datacenters)
    if options.cidr_groups is not None:
        access.networks.write(name, options.cidr_groups)
    return _VOID


def _hashed(access: Access, options: tree.RoleOptions) -> Steps[str | None]:
    if options.password is None:
        return options.hashed_password
    hashing = access.passwords.hashed(options.password)
    yield hashing
    return hashing.result


def _said(options: tree.RoleOptions) -> list[str]:
    return [name.upper() for name in _SAID if getattr(options, name) is not None]


def _validate_options(access: Access, options: tree.RoleOptions) -> None:
    """RoleOptions.validate."""
    supported = {"SUPERUSER", "LOGIN"}
    if access.settings.has_passwords:
        supported |= {"PASSWORD", "HASHED_PASSWORD"}
    for option in _said(options):
        if option not in supported:
            raise InvalidRequest(f"{CLASS_NAME} doesn't support {option}")
    if options.hashed_password is not None and not passwords.is_hash(options.hashed_password):
        raise InvalidRequest("Invalid hashed password value. Please use jBcrypt.")


def _validate_places(access: Access, options: tree.RoleOptions) -> None:
    """DCPermissions.validate, CIDRPermissions.validate."""
    here = access.datacenter
    if any(datacenter != here for datacenter in options.datacenters or ()):
        shown = ", ".join(texts_hash_ordered(options.datacenters or ()))
        raise InvalidRequest(f"Invalid value(s) for DATACENTERS '[{shown}]',All values must be valid datacenters")
    if options.cidr_groups:
        known = access.networks.groups()
        if not set(options.cidr_groups) <= set(known):
            shown = ", ".join(texts_hash_ordered(options.cidr_groups))
            raise InvalidRequest(f"Invalid CIDR group(s): [{shown}]. Available CIDR Groups are: [{', '.join(known)}]")


def _authorize_drop(access: Access, state: ClientState, statement: tree.DropRole) -> None:
    user = _check(access, state, "DROP", role_resource(statement.name))
    roles = access.roles
    if roles.exists(statement.name) and roles.is_super(statement.name) and not access.is_super(user):
        raise Unauthorized("Only superusers can drop a role with superuser status")


def _validate_drop(access: Access, state: ClientState, statement: tree.DropRole) -> None:
    user = access.ensure_not_anonymous(state)
    if not statement.if_exists and not access.roles.exists(statement.name):
        raise InvalidRequest(f"{statement.name} doesn't exist")
    if user.name == statement.name and not user.is_system:
        raise InvalidRequest("Cannot DROP primary role for current login")


def _drop(access: Access, state: ClientState, statement: tree.DropRole) -> Outcome:
    name = statement.name
    if statement.if_exists and not access.roles.exists(name):
        return _VOID
    access.roles.drop(name)
    if access.grants is not None:
        access.grants.revoke_all_from(name)
        access.grants.revoke_all_on(role_resource(name))
    if access.datacenters is not None:
        access.datacenters.drop(name)
    access.networks.drop(name)
    return _VOID


# --- members and identities ----------------------------------------------------------------------------------------------


def _authorize_membership(access: Access, state: ClientState, statement: tree.GrantRole | tree.RevokeRole) -> None:
    """RoleManagementStatement."""
    _check(access, state, "AUTHORIZE", role_resource(statement.role))


def _validate_membership(access: Access, state: ClientState, statement: tree.GrantRole | tree.RevokeRole) -> None:
    access.ensure_not_anonymous(state)
    member = statement.grantee if isinstance(statement, tree.GrantRole) else statement.revokee
    for name in (statement.role, member):
        if not access.roles.exists(name):
            raise InvalidRequest(f"{name} doesn't exist")


def _grant_role(access: Access, state: ClientState, statement: tree.GrantRole) -> Outcome:
    access.roles.grant(statement.role, statement.grantee)
    return _VOID


def _revoke_role(access: Access, state: ClientState, statement: tree.RevokeRole) -> Outcome:
    access.roles.revoke(statement.role, statement.revokee)
    return _VOID


def _authorize_add(access: Access, state: ClientState, statement: tree.AddIdentity) -> None:
    user = _check(access, state, "CREATE", ALL_ROLES)
    role = access.roles.maybe_role(statement.role)
    if not access.is_super(user) and role is not None and role.is_super:
        raise Unauthorized("Only superusers can bind identities to a role with superuser status")


def _validate_add(access: Access, state: ClientState, statement: tree.AddIdentity) -> None:
    access.ensure_not_anonymous(state)
    if not access.roles.exists(statement.role):
        raise InvalidRequest(f"Can not add identity for non-existent role '{statement.role}'")
    if not statement.if_not_exists and access.roles.maybe_role_of_identity(statement.identity) is not None:
        raise InvalidRequest(f"{statement.identity} already exists")


def _add_identity(access: Access, state: ClientState, statement: tree.AddIdentity) -> Outcome:
    if not statement.if_not_exists or access.roles.maybe_role_of_identity(statement.identity) is None:
        access.roles.add_identity(statement.identity, statement.role)
    return _VOID


def _authorize_drop_identity(access: Access, state: ClientState, statement: tree.DropIdentity) -> None:
    role = access.roles.maybe_role_of_identity(statement.identity)
    user = _check(access, state, "DROP", ALL_ROLES if role is None else role_resource(role))
    if role is not None and not access.is_super(user) and access.roles.is_super(role):
        raise Unauthorized("Only superusers can remove identity bindings from a role with superuser status")


def _validate_drop_identity(access: Access, state: ClientState, statement: tree.DropIdentity) -> None:
    access.ensure_not_anonymous(state)
    if not statement.if_exists and access.roles.maybe_role_of_identity(statement.identity) is None:
        raise InvalidRequest(f"identity '{statement.identity}' doesn't exist")


def _drop_identity(access: Access, state: ClientState, statement: tree.DropIdentity) -> Outcome:
    if access.roles.maybe_role_of_identity(statement.identity) is not None:
        access.roles.drop_identity(statement.identity)
    return _VOID


# --- LIST ----------------------------------------------------------------------------------------------------------------


def _validate_list(access: Access, state: ClientState, statement: tree.ListRoles | tree.ListUsers) -> None:
    access.ensure_not_anonymous(state)
    of = getattr(statement, "role", None)
    if of is not None and not access.roles.exists(of):
        raise InvalidRequest(f"{role_resource(of)} doesn't exist")


def _list_roles(access: Access, state: ClientState, statement: tree.ListRoles) -> Outcome:
    names = _visible(access, access.ensure_not_anonymous(state), statement.role, statement.recursive)
    return listed(access, sorted(names), ROLES)


def _list_users(access: Access, state: ClientState, statement: tree.ListUsers) -> Outcome:
    return listed(access, sorted(_visible(access, access.ensure_not_anonymous(state), None, False)), USERS)


def _anybody(access: Access, state: ClientState, statement: tree.Statement) -> None:
    """What there is to check of the user is checked later."""


def _visible(access: Access, user: User, of: str | None, recursive: bool) -> list[str]:
    """ListRolesStatement.execute."""
    roles = access.roles
    if "DESCRIBE" in access.permissions(user, ALL_ROLES):
        return roles.names() if of is None else roles.granted_to(of, recursive)
    if of is None:
        return roles.granted_to(user.name, recursive)
    if of not in roles.granted_to(user.name, True):
        raise Unauthorized(f"You are not authorized to view roles granted to {of} ")
    return roles.granted_to(of, recursive)


_CONDUCTS: Final[Mapping[type[tree.Statement], Conduct]] = MappingProxyType(
    {
        tree.CreateRole: Conduct(_authorize_create, _validate_create, _create),
        tree.AlterRole: Conduct(_authorize_alter, _validate_alter, _alter),
        tree.DropRole: Conduct(_authorize_drop, _validate_drop, _drop),
        tree.GrantRole: Conduct(_authorize_membership, _validate_membership, _grant_role),
        tree.RevokeRole: Conduct(_authorize_membership, _validate_membership, _revoke_role),
        tree.AddIdentity: Conduct(_authorize_add, _validate_add, _add_identity),
        tree.DropIdentity: Conduct(_authorize_drop_identity, _validate_drop_identity, _drop_identity),
        tree.ListRoles: Conduct(_anybody, _validate_list, _list_roles),
        tree.ListUsers: Conduct(_anybody, _validate_list, _list_users),
        tree.Grant: Conduct(grant_statements.authorize, grant_statements.validate, grant_statements.grant),
        tree.Revoke: Conduct(grant_statements.authorize, grant_statements.validate, grant_statements.revoke),
        tree.ListPermissions: Conduct(_anybody, grant_statements.validate_list, grant_statements.list_permissions),
    }
)
