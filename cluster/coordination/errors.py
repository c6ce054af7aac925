"""What clients are told when replicas did not answer, or could not (exceptions/Request*Exception.java)."""

from ipaddress import ip_address

from cluster.consistency import Consistency
from cluster.coordination.acknowledgements import Acknowledgements
from cluster.internode.verbs import FailureReason
from cluster.ring import Node
from protocol.errors import CasWriteTimeout, ReadFailure, ReadTimeout, WriteFailure, WriteTimeout


def write_timeout(level: Consistency, received: int, required: int, write_type: str) -> WriteTimeout:
    return WriteTimeout(_timed_out(received), level.value, received, required, write_type)


def read_timeout(level: Consistency, received: int, required: int, has_data: bool) -> ReadTimeout:
    return ReadTimeout(_timed_out(received), level.value, received, required, has_data)


def cas_timeout(
    level: Consistency, received: int, required: int, contentions: int, write_type: str = "CAS"
) -> WriteTimeout:
    """exceptions/CasWriteTimeoutException.java."""
    message = (
        f"CAS operation timed out: received {received} of {required} required responses "
        f"after {contentions} contention retries"
    )
    return CasWriteTimeout(message, level.value, received, required, write_type, contentions)


def _timed_out(received: int) -> str:
    return f"Operation timed out - received only {received} responses."


def write_failure(level: Consistency, acks: Acknowledgements, write_type: str) -> WriteFailure:
    failures = acks.failures
    message = _failed(acks.received, failures)
    return WriteFailure(message, level.value, acks.received, acks.required, _reasons(failures), write_type)


def read_failure(
    level: Consistency, received: int, required: int, failures: dict[Node, int], has_data: bool
) -> ReadFailure:
    return ReadFailure(_failed(received, failures), level.value, received, required, _reasons(failures), has_data)


def _failed(received: int, failures: dict[Node, int]) -> str:
    told = ", ".join(f"{reason_name(reason)} from /{node.address}:{node.port}" for node, reason in failures.items())
    return f"Operation failed - received {received} responses and {len(failures)} failures: {told}"


def reason_name(reason: int) -> str:
    try:
        return FailureReason(reason).name
    except ValueError:
        return FailureReason.UNKNOWN.name


def _reasons(failures: dict[Node, int]) -> dict[bytes, int]:
    return {ip_address(node.address).packed: reason for node, reason in failures.items()}
