"""What all clients together may have: connections, request data in flight, answers that nobody takes.

The names and defaults' proportions are Cassandra's (transport/ClientResourceLimits.java, ConnectionLimitHandler.java,
CQLMessageHandler.java): `native_transport_max_request_data_in_flight` for all, `..._per_ip` for those of one address,
`native_transport_receive_queue_capacity` for a single connection, which it has for itself. Only what goes beyond that has to
find room in the other two. A message finds it before its body is read; where there is none, the connection is not read from
until others are done (backpressure), or, if its client asked for that (THROW_ON_OVERLOAD), the message is answered with
OverloadedException. So memory is bounded by the limits, not by how many clients there are.

Answers find room in the kernel's buffers, and what does not go there waits here. Before there is too much of it, those who
let it pile up are not read from; beyond, a long answer becomes an OverloadedException: nobody knows how long it is before it
is made, so nobody can wait for room. Who then has taken nothing for a while is disconnected, and gives room to who reads.
"""

from dataclasses import dataclass

from cqlserver.plans.gathered import GATHERED_TOTAL_MAX
from cqlserver.program.config import Config
from cqlserver.statements import PLANS_BYTES_MAX
from protocol.errors import Overloaded
from storage.environment.strands import strand_memory_max

UNSENT_TOTAL_MAX = 64 << 20
"""Answers of all connections that wait to be sent; past it there are none but those of UNSENT_SHARE and less."""
UNSENT_TOTAL_HIGH = UNSENT_TOTAL_MAX // 2
"""From here on a connection with more than UNSENT_SHARE of them is not read from."""
UNSENT_SHARE = 1 << 16
UNSENT_PATIENCE_S = 10.0
"""Who has taken nothing for so long is disconnected when there is no room."""
COPIES = 2
"""How often a request's bytes are there while it is worked on: as a message, and as values."""


@dataclass(slots=True)
class _OfAddress:
    connections: int = 0
    in_flight: int = 0


class ClientLimits:
    """One node's. Sizes are bytes."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self.connections = self.in_flight = self.unsent = 0
        self.made = 0
        """Of long answers that were made in this go, and are not given to a socket yet."""
        self.lacks_room = False
        """Whether an answer was refused for want of it, since the listener last looked."""
        self._by_address: dict[str, _OfAddress] = {}

    # --- connections ---------------------------------------------------------------------------------------------------

    def maybe_refusal(self, address: str) -> str | None:
        """Why one more connection from there is not taken."""
        config, of_address = self._config, self._by_address.get(address)
        if 0 <= config.connections_max <= self.connections:
            return (
                f"Exceeded maximum native connection limit of {config.connections_max} by using {self.connections + 1} "
                "connections (see native_transport_max_concurrent_connections in cassandra.yaml)"
            )
        used = of_address.connections if of_address is not None else 0
        if 0 < config.connections_per_ip_max <= used:
            return (
                f"Exceeded maximum native connection limit per ip of {config.connections_per_ip_max} by using {used + 1} "
                "connections (see native_transport_max_concurrent_connections_per_ip)"
            )
        return None

    def connected(self, address: str) -> None:
        self.connections += 1
        self._by_address.setdefault(address, _OfAddress()).connections += 1

    def disconnected(self, address: str) -> None:
        self.connections -= 1
        of_address = self._by_address[address]
        of_address.connections -= 1
        if not of_address.connections:
            del self._by_address[address]

    # --- request data in flight --------------------------------------------------------------------------------------------

    def excess(self, size: int) -> int:
        """What of a connection's bytes has to find room beside those of others."""
        return max(0, size - self._config.receive_queue_bytes)

    def has_room(self, address: str, size: int) -> bool:
        """Whether so many bytes more may be in flight. They may be if there are no others, whatever the limits."""
        of_address = self._by_address.get(address)
        used = of_address.in_flight if of_address is not None else 0
        config = self._config
        return (not self.in_flight or self.in_flight + size <= config.in_flight_bytes_max) and (
            not used or used + size <= config.in_flight_per_ip_bytes_max
        )

    def change(self, address: str, size: int) -> None:
        """So many more, or less, are in flight."""
        self.in_flight += size
        of_address = self._by_address.get(address)
        if of_address is not None:
            of_address.in_flight += size

    def overloaded(self, address: str) -> Overloaded:
        """Allocator.toString() and CQLMessageHandler.buildOverloadedException."""
        of_address, config = self._by_address.get(address, _OfAddress()), self._config
        return Overloaded(
            f"Request breached limit on bytes in flight. (Using {of_address.in_flight}/{config.in_flight_per_ip_bytes_max} "
            f"bytes of endpoint limit and {self.in_flight}/{config.in_flight_bytes_max} bytes of global limit.)"
            "Server is currently in an overloaded state and cannot accept more requests."
        )

    # --- answers that wait to be sent --------------------------------------------------------------------------------------

    @property
    def is_full(self) -> bool:
        """Whether there is no more room for long ones."""
        return self.unsent + self.made >= UNSENT_TOTAL_MAX

    def refused_answer(self) -> Overloaded:
        """What is answered where there is no room for the answer."""
        self.lacks_room = True
        return Overloaded(
            f"Answers breached the limit on bytes that wait to be sent. (Using {self.unsent}/{UNSENT_TOTAL_MAX} bytes.) "
            "Server is currently in an overloaded state and cannot accept more requests."
        )

    # --- all of it ------------------------------------------------------------------------------------------------------

    def told(self) -> str:
        """What clients may take at most, for the log."""
        config = self._config
        parts = {
            "requests in flight": COPIES * config.in_flight_bytes_max,
            "requests under way": strand_memory_max(),
            "answers under way": GATHERED_TOTAL_MAX,
            "unsent answers": UNSENT_TOTAL_MAX,
            "prepared statements": config.prepared_statements_bytes_max,
            "plans of texts and batches": PLANS_BYTES_MAX,
        }
        named = ", ".join(f"{name} {size >> 20}" for name, size in parts.items())
        return (
            f"Clients may take up to {sum(parts.values()) >> 20} MiB ({named}), and each connection "
            f"{config.receive_queue_bytes + 2 * UNSENT_SHARE >> 10} KiB of its own; SAI and SASI indexes, where there are "
            f"any, up to {config.storage.attached_index_bytes >> 20} MiB"
        )
