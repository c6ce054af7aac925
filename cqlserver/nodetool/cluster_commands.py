"""The part of nodetool's table of commands (commands.py) that is about the cluster."""

from collections.abc import Mapping
from typing import Final

from cqlserver.nodetool.arguments import Command, Group, Option

_TABLES: Final = "[<keyspace> <tables>...]"
_RESOLVE: Final = Option(("-r", "--resolve-ip"), "Show node domain names instead of IPs")
_TO: Final = Option(("-et", "--end-token"), "Use -et to specify a token at which repair range ends", "end_token")
_FROM: Final = Option(
    ("-st", "--start-token"), "Use -st to specify a token at which the repair range starts", "start_token"
)
_VERBOSE: Final = Option(("-v", "--verbose"), "print additional info")

CLUSTER_COMMANDS: Final = (
    Command(
        "assassinate",
        "Forcefully remove a dead node without re-replicating any data. Use as a last resort if you cannot removenode",
        "movements",
        (),
        "<ip_address>",
        "IP address of the endpoint to assassinate",
        required="ip address",
    ),
    Command(
        "bootstrap resume",
        "Resume bootstrap streaming",
        "movements",
        (
            Option(
                ("-f", "--force"),
                "Use --force to resume bootstrap regardless of cassandra.reset_bootstrap_progress environment variable. "
                "WARNING: This is potentially dangerous, see CASSANDRA-17679",
            ),
        ),
    ),
    Command(
        "decommission",
        "Decommission the *node I am connecting to*",
        "movements",
        (
            Option(
                ("-f", "--force"),
                "Force decommission of this node even when it reduces the number of replicas to below configured RF",
            ),
        ),
    ),
    Command("join", "Join the ring", "movements"),
    Command(
        "move",
        "Move node on the token ring to a new token",
        "movements",
        (),
        "<new token>",
        "The new token.",
        required="newToken",
    ),
    Command(
        "netstats",
        "Print network information on provided host (connecting node by default)",
        "movements",
        (Option(("-H", "--human-readable"), "Display bytes in human readable form, i.e. KiB, MiB, GiB, TiB"),),
    ),
    Command(
        "rebuild",
        "Rebuild data by streaming from other nodes (similarly to bootstrap)",
        "movements",
        (
            Option(("-ks", "--keyspace"), "Use -ks to rebuild specific keyspace.", "specific_keyspace"),
            Option(
                ("-ts", "--tokens"),
                'Use -ts to rebuild specific token ranges, in the format of "(start_token_1,end_token_1],'
                '(start_token_2,end_token_2],...(start_token_n,end_token_n]".',
                "specific_tokens",
            ),
            Option(
                ("-s", "--sources"),
                "Use -s to specify hosts that this node should stream from when -ts is used. Multiple hosts should be "
                "separated using commas (e.g. 127.0.0.1,127.0.0.2,...)",
                "specific_sources",
            ),
            Option(
                ("--exclude-local-dc",),
                "Use --exclude-local-dc to exclude nodes in local data center as source for streaming.",
            ),
        ),
        "<src-dc-name>",
        "Name of DC from which to select sources for streaming. By default, pick any DC (except local DC when "
        "--exclude-local-dc is set)",
    ),
    Command(
        "removenode",
        "Show status of current node removal, force completion of pending removal or remove provided ID",
        "movements",
        (),
        "<status>|<force>|<ID>",
        "Show status of current node removal, force completion of pending removal, or remove provided ID",
        required="remove_operation",
    ),
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
    Command(
        "repair",
        "Repair one or more tables",
        "repair",
        (
            Option(("-seq", "--sequential"), "Use -seq to carry out a sequential repair"),
            Option(("-dcpar", "--dc-parallel"), "Use -dcpar to repair data centers in parallel."),
            Option(
                ("-local", "--in-local-dc"), "Use -local to only repair against nodes in the same datacenter"
            ),
            Option(
                ("-dc", "--in-dc"), "Use -dc to repair specific datacenters", "specific_dc", is_repeated=True
            ),
            Option(
                ("-hosts", "--in-hosts"), "Use -hosts to repair specific hosts", "specific_host", is_repeated=True
            ),
            Option(
                ("-st", "--start-token"),
                "Use -st to specify a token at which the repair range starts (exclusive)",
                "start_token",
            ),
            Option(
                ("-et", "--end-token"), "Use -et to specify a token at which repair range ends (inclusive)", "end_token"
            ),
            Option(
                ("-pr", "--partitioner-range"),
                "Use -pr to repair only the first range returned by the partitioner",
            ),
            Option(("-full", "--full"), "Use -full to issue a full repair."),
            Option(("-force", "--force"), "Use -force to filter out down endpoints"),
            Option(
                ("-prv", "--preview"),
                "Determine ranges and amount of data to be streamed, but don't actually perform repair",
            ),
            Option(
                ("-vd", "--validate"),
                "Checks that repaired data is in sync between nodes. Out of sync repaired data indicates a full repair "
                "should be run.",
            ),
            Option(
                ("-j", "--job-threads"),
                "Number of threads to run repair jobs. Usually this means number of CFs to repair concurrently. WARNING: "
                "increasing this puts more load on repairing nodes, so be careful. (default: 1, max: 4)",
                "job_threads",
                is_integer=True,
            ),
            Option(
                ("-tr", "--trace"), "Use -tr to trace the repair. Traces are logged to system_traces.events."
            ),
            Option(
                ("-pl", "--pull"),
                "Use --pull to perform a one way repair where data is only streamed from a remote node to this node.",
            ),
            Option(
                ("-os", "--optimise-streams"),
                "Use --optimise-streams to try to reduce the number of streams we do (EXPERIMENTAL, see CASSANDRA-3200).",
            ),
            Option(
                ("-skip-paxos", "--skip-paxos"),
                "If the --skip-paxos flag is included, the paxos repair step is skipped. Paxos repair is also skipped for "
                "preview repairs.",
            ),
            Option(
                ("-paxos-only", "--paxos-only"),
                "If the --paxos-only flag is included, no table data is repaired, only paxos operations..",
            ),
            Option(
                ("-iuk", "--ignore-unreplicated-keyspaces"),
                "Use --ignore-unreplicated-keyspaces to ignore keyspaces which are not replicated, otherwise the repair "
                "will fail",
            ),
        ),
        _TABLES,
        "The keyspace followed by one or many tables",
    ),
    Command(
        "repair_admin cancel",
        "cancel an incremental repair session. Use --force to cancel from a node other than the repair coordinator "
        "Attempting to cancel FINALIZED or FAILED sessions is an error.",
        "repair",
        (
            Option(("-s", "--session"), "The session to cancel", "session", is_required=True),
            Option(("-f", "--force"), "Force a cancellation."),
        ),
    ),
    Command(
        "repair_admin cleanup",
        "cleans up pending data from completed sessions. This happens automatically, but the command is provided for "
        "situations where it needs to be expedited. Use --force to cancel compactions that are preventing promotion",
        "repair",
        (Option(("-f", "--force"), "Force a cleanup."), _TO, _FROM),
        _TABLES,
        "The keyspace followed by one or many tables",
    ),
    Command(
        "repair_admin list",
        "list repair sessions",
        "repair",
        (_TO, Option(("-a", "--all"), "include completed and failed sessions"), _FROM),
    ),
    Command(
        "repair_admin summarize-pending",
        "report the amount of data marked pending repair for the given token range (or all replicated range if no tokens "
        "are provided",
        "repair",
        (_VERBOSE, _TO, _FROM),
        _TABLES,
        "The keyspace followed by one or many tables",
    ),
    Command(
        "repair_admin summarize-repaired",
        "return the most recent repairedAt timestamp for the given token range (or all replicated ranges if no tokens are "
        "provided)",
        "repair",
        (_VERBOSE, _TO, _FROM),
        _TABLES,
        "The keyspace followed by one or many tables",
    ),
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

GROUPS: Final[Mapping[str, Group]] = {
    "repair_admin": Group(
        "repair_admin", "list and fail incremental repair sessions", "repair_admin list", "list repair sessions"
    ),
    "bootstrap": Group("bootstrap", "Monitor/manage node's bootstrap process", "", "Display help information")
}
