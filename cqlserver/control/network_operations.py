"""The operations of the control port on groups of networks: those that nodetool asks for."""

from typing import TYPE_CHECKING, Final

from cqlserver.control.later import later
from cqlserver.control.operation import NOTHING, STRING, STRINGS, Argument, Operation, list_of

if TYPE_CHECKING:
    from cqlserver.control import networks
else:
    (networks,) = later("networks")

_GROUP: Final = Argument("group", STRING, "its name")

NETWORK_OPERATIONS: Final[tuple[Operation, ...]] = (
    Operation(
        "cidr_groups_of_ip",
        "The groups that have the narrowest network in which an address lies",
        (Argument("address", STRING, "of IPv4 or IPv6"),),
        {"type": "object", "properties": {"groups": STRINGS.schema}},
        networks.cidr_groups_of_ip,
        reads=True,
    ),
    Operation(
        "set_cidr_group",
        "Says which networks a group has (system_auth.cidr_groups)",
        (_GROUP, Argument("networks", STRINGS, "such as 10.0.0.0/8")),
        NOTHING,
        networks.set_cidr_group,
    ),
    Operation("drop_cidr_group", "Forgets a group of networks", (_GROUP,), NOTHING, networks.drop_cidr_group),
    Operation(
        "reload_cidr_groups", "Reads the groups of networks anew", (), NOTHING, networks.reload_cidr_groups
    ),
    Operation(
        "invalidate_cidr_permissions",
        "Forgets what is believed of from where roles may come",
        (Argument("roles", STRINGS, "of these alone", []),),
        {"type": "object", "properties": {"forgotten": STRINGS.schema}},
        networks.invalidate_cidr_permissions,
    ),
    Operation(
        "cidr_filtering_stats",
        "What was counted of checking from where roles come",
        (),
        list_of("counts"),
        networks.cidr_filtering_stats,
        reads=True,
    ),
)  # fmt: skip
