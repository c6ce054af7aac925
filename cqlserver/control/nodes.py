"""What may be done to the nodes of a cluster in one process, by their numbers, the first one being 1."""

from cqlserver.clustering.in_process import LocalCluster
from cqlserver.control.context import BadArgument, Control, Refused


class NoCluster(Refused):
    code = "NoCluster"


async def stop_node(control: Control, *, node: int, kill: bool) -> object:
    await _cluster(control).stop(_index(control, node), says_so=not kill)
    return {}


async def start_node(control: Control, *, node: int) -> object:
    await _cluster(control).start(_index(control, node))
    return {}


async def pause_node(control: Control, *, node: int) -> object:
    _cluster(control).pause(_index(control, node))
    return {}


async def resume_node(control: Control, *, node: int) -> object:
    _cluster(control).resume(_index(control, node))
    return {}


async def partition(control: Control, *, one: str, other: str) -> object:
    _cluster(control).partition(_indexes(control, one), _indexes(control, other))
    return {}


async def heal(control: Control) -> object:
    _cluster(control).heal()
    return {}


async def add_node(control: Control) -> object:
    cluster = _cluster(control)
    index = await cluster.add()
    config = cluster.parts[index].config
    return {"node": index + 1, "host": config.host, "port": config.port, "control_port": config.control_port}


def _cluster(control: Control) -> LocalCluster:
    if control.cluster is None:
        raise NoCluster("this is a single node; `cqlserver cluster --nodes 3` starts several")
    return control.cluster


def _index(control: Control, number: int) -> int:
    count = len(_cluster(control).parts)
    if not 1 <= number <= count:
        raise BadArgument(f"there is no node {number}; there are 1 to {count}")
    return number - 1


def _indexes(control: Control, text: str) -> list[int]:
    try:
        return [_index(control, int(number)) for number in text.split(",")]
    except ValueError:
        raise BadArgument(f"{text!r} are no numbers of nodes, like 1,2") from None
