"""Plans of GRANT, REVOKE and LIST PERMISSIONS (cql3/statements/*Permissions*Statement.java)."""

from cqlserver.auth.access import Access
from cqlserver.auth.grants import Granted
from cqlserver.auth.listing import listed_permissions
from cqlserver.auth.resources import ALL_ROLES, PERMISSIONS, Resource
from cqlserver.auth.resources import role as role_resource
from cqlserver.state import ClientState
from grammar import tree
from grammar.tree import ResourceKind
from protocol.errors import CqlSyntaxError, InvalidRequest, ServerError, Unauthorized
from protocol.responses import Result, VoidResult
from storage.schema.metadata import is_system_keyspace

_GRANTABLE_ON_SYSTEM = frozenset(("SELECT", "DESCRIBE", "ALTER"))


def check_function(
    access: Access, statement: tree.Grant | tree.Revoke | tree.ListPermissions, resource: tree.Resource, text: str
) -> None:
    """What Cassandra's parser says of a function that is not there, or that nobody can grant anything on."""
    _check_name(access, resource, text)
    if not isinstance(statement, tree.ListPermissions) and not statement.permissions:
        raise CqlSyntaxError("Resource type FunctionResource does not support any of the requested permissions")


def _check_name(access: Access, resource: tree.Resource, text: str) -> None:
    if resource.kind is ResourceKind.KEYSPACE_FUNCTIONS and resource.keyspace == "system":
        raise InvalidRequest("Altering permissions on builtin functions is not supported")
    if resource.kind is not ResourceKind.FUNCTION:
        return
    if resource.keyspace is None:
        raise InvalidRequest("In this context function name must be explictly qualified by a keyspace")
    if resource.keyspace == "system":
        raise InvalidRequest("Altering permissions on builtin functions is not supported")
    if not access.exists(access.resource(resource, None)):
        raise CqlSyntaxError(f"Failed parsing statement: [{text}] reason: NoSuchElementException No value present")


def authorize(access: Access, state: ClientState, statement: tree.Grant | tree.Revoke) -> None:
    """PermissionsManagementStatement.authorize."""
    resource = access.resource(statement.resource, state.keyspace)
    access.ensure(state, "AUTHORIZE", resource)
    for permission in statement.permissions:
        access.ensure(state, permission, resource)


def validate(access: Access, state: ClientState, statement: tree.Grant | tree.Revoke) -> None:
    access.ensure_not_anonymous(state)
    if not access.roles.exists(statement.role):
        raise InvalidRequest(f"Role {statement.role} doesn't exist")
    resource = access.resource(statement.resource, state.keyspace)
    if not access.exists(resource):
        raise InvalidRequest(f"Resource {resource} doesn't exist")
    if isinstance(statement, tree.Grant) and resource.keyspace is not None and resource.name.startswith("data/"):
        _check_system_keyspace(access, resource.keyspace, statement.permissions)


def grant(access: Access, state: ClientState, statement: tree.Grant) -> Result:
    if access.grants is None:
        raise _unsupported("GRANT")
    resource = access.resource(statement.resource, state.keyspace)
    granted = access.grants.grant(statement.role, statement.permissions, resource)
    _warn(state, f"Role '{statement.role}' was already granted", statement.permissions, granted, resource)
    return VoidResult()


def revoke(access: Access, state: ClientState, statement: tree.Revoke) -> Result:
    if access.grants is None:
        raise _unsupported("REVOKE")
    resource = access.resource(statement.resource, state.keyspace)
    revoked = access.grants.revoke(statement.role, statement.permissions, resource)
    _warn(state, f"Role '{statement.role}' was not granted", statement.permissions, revoked, resource)
    return VoidResult()


def _unsupported(what: str) -> ServerError:
    return ServerError(f"java.lang.UnsupportedOperationException: {what} operation is not supported by AllowAllAuthorizer")


def _warn(state: ClientState, what: str, asked: tuple[str, ...], done: frozenset[str], resource: Resource) -> None:
    """Names the permissions that made no difference."""
    missed = [permission for permission in asked if permission not in done]
    if missed and asked != PERMISSIONS:
        state.warn(f"{what} {', '.join(missed)} on {resource}")


def _check_system_keyspace(access: Access, keyspace: str, permissions: tuple[str, ...]) -> None:
    is_stored = is_system_keyspace(keyspace) and not access.is_virtual(keyspace)
    if is_stored and not _GRANTABLE_ON_SYSTEM.issuperset(permissions):
        raise Unauthorized("Granting permissions on system keyspaces is strictly limited, this operation is not permitted")


def validate_list(access: Access, state: ClientState, statement: tree.ListPermissions) -> None:
    access.ensure_not_anonymous(state)
    if statement.resource is not None:
        resource = access.resource(statement.resource, state.keyspace)
        if not access.exists(resource):
            raise InvalidRequest(f"{resource} doesn't exist")
    if statement.role is not None and not access.roles.exists(statement.role):
        raise InvalidRequest(f"{role_resource(statement.role)} doesn't exist")


def list_permissions(access: Access, state: ClientState, statement: tree.ListPermissions) -> Result:
    user, role = access.ensure_not_anonymous(state), statement.role
    if access.grants is None:
        raise InvalidRequest("LIST PERMISSIONS operation is not supported by AllowAllAuthorizer")
    may = (
        access.is_super(user)
        or role in access.roles_of(user)
        or "DESCRIBE" in access.permissions(user, ALL_ROLES)
        or (role is not None and "DESCRIBE" in access.permissions(user, role_resource(role)))
    )
    if not may:
        raise Unauthorized(f"You are not authorized to view {role or 'everyone'}'s permissions")
    resource = None if statement.resource is None else access.resource(statement.resource, state.keyspace)
    resources = [resource] if resource is None or not statement.recursive else list(resource.chain())
    found: set[Granted] = set()
    for of in [None] if role is None else access.roles.granted_to(role, True):
        for on in resources:
            found.update(access.grants.listed(of, statement.permissions, on))
    return listed_permissions(list(found))
