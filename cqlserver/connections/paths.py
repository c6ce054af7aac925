"""Which fast paths a connection has."""

from typing import TYPE_CHECKING

from cqlserver.plans.plan import FastPath, FastPaths, QueryPath
from cqlserver.state import ClientState

if TYPE_CHECKING:
    from cqlserver.node import Node


def nothing_fast(*request: object) -> None:
    """The hot path of QUERY and BATCH where there is none."""


def paths_of(node: "Node", state: ClientState, has_logged_in: bool) -> tuple[FastPaths, QueryPath, FastPath]:
    """Of EXECUTE, QUERY and BATCH. Who has logged in may be checked; while partitions are sampled there are none."""
    if node.profile:
        return {}, nothing_fast, nothing_fast
    if has_logged_in and node.config.auth.requires_login and (node.guard is not None or node.config.guardrails):
        from cqlserver.auth.guard import guarded_paths

        return guarded_paths(node, state)
    statements, version = node.statements, state.version
    return statements.fast_paths(version), statements.fast_query(version), statements.fast_batch(version)
