"""The part of nodetool's table of commands (commands.py) that is about the cluster."""

from collections.abc import Mapping
from typing import Final

from cqlserver.nodetool.arguments import Command, Option

_RESOLVE: Final = Option(("-r", "--resolve-ip"), "Show node domain names instead of IPs")

CLUSTER_COMMANDS: Final = (
    Command(
        "describecluster", "Print the name, snitch, partitioner and schema version of a cluster", "cluster"
    ),
    Command(
        "describering",
        "Shows the token ranges info of a given keyspace",
        "cluster",
        (),
        "<keyspace>",
        "The keyspace name",
        required="keyspace",
    ),
    Command("disablegossip", "Disable gossip (effectively marking the node down)", "gossip"),
    Command("disablehandoff", "Disable storing hinted handoffs", "gossip"),
    Command("enablegossip", "Reenable gossip", "gossip"),
    Command("enablehandoff", "Reenable future hints storing on the current node", "gossip"),
    Command("failuredetector", "Shows the failure detector information for the cluster", "gossip"),
    Command("getmaxhintwindow", "Print the max hint window in ms", "gossip"),
    Command("gossipinfo", "Shows the gossip information for the cluster", "gossip", (_RESOLVE,)),
    Command("listpendinghints", "Print all pending hints that this node has", "gossip"),
    Command("pausehandoff", "Pause hints delivery process", "gossip"),
    Command("resumehandoff", "Resume hints delivery process", "gossip"),
    Command(
        "ring",
        "Print information about the token ring",
        "cluster",
        (_RESOLVE,),
        "<keyspace>",
        "Specify a keyspace for accurate ownership information (topology awareness)",
    ),
    Command(
        "sethintedhandoffthrottlekb",
        "Set hinted handoff throttle in KiB per second, per delivery thread.",
        "gossip",
        (),
        "<value_in_kb_per_sec>",
        "Value in KiB per second",
        required="throttle_in_kb",
        is_integer=True,
    ),
    Command(
        "setmaxhintwindow",
        "Set the specified max hint window in ms",
        "gossip",
        (),
        "<value_in_ms>",
        "Value of maxhintwindow in ms",
        required="max_hint_window",
        is_integer=True,
    ),
    Command("statusgossip", "Status of gossip", "gossip"),
    Command("statushandoff", "Status of storing future hints on the current node", "gossip"),
    Command(
        "truncatehints",
        "Truncate all hints on the local node, or truncate hints for the endpoint(s) specified.",
        "gossip",
        (),
        "[endpoint ... ]",
        'Endpoint address(es) to delete hints for, either ip address ("127.0.0.1") or hostname',
    ),
)

GROUPS: Final[Mapping[str, str]] = {}
"""By the name of a group of commands the one that it stands for, where none is named."""
