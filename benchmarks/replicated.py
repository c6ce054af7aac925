"""Processor time per request of all nodes of a cluster together, in one process: sessions, coordinators, replicas, and the
frames between them as bytes, without sockets.

    python benchmarks/replicated.py [--count 6000] [--nodes 3] [--level 4] [--profile] [WORKLOAD ...]

Requests come to all nodes in turn, as many in a wake-up as a load generator has in flight on a connection.
"""

import argparse
import cProfile
import pstats
import random
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import requests as single
from cluster.gossip.endpoint import Endpoint
from cluster.internode.frames import FrameDecoder, FrameEncoder, Message
from cqlserver.clustering.member import Member
from cqlserver.clustering.node_configs import node_configs
from cqlserver.clustering.station import Carry, Station
from cqlserver.connections import garbage
from cqlserver.connections.session import Session
from cqlserver.connections.unanswered import Unanswered
from cqlserver.program.config import Config
from cqlserver.program.server import open_node
from protocol import requests, responses
from protocol.frames import EnvelopeDecoder
from storage.environment.environment import Environment

CHUNK = 32
SERIAL = 8
TABLE = "CREATE TABLE load.t (k bigint, c int, v blob, s text, PRIMARY KEY (k, c))"


class Part:
    """One node, with a client's session."""

    def __init__(self, cluster: "Cluster", config: Config, seeds: Sequence[Endpoint]) -> None:
        make = cluster.make_environment
        self.node = open_node(config, None if make is None else make(len(cluster.parts)))
        self.node.describe_itself()
        self.endpoint = Endpoint(config.host, config.storage_port)
        self.station = Station(self.node, Member(self.node, seeds), cluster.carrier(self))
        self.session = Session(self.node, "127.0.0.1", 1)
        self.pending: list[Unanswered] = []
        self.received: list[bytes] = []
        self.decoders: dict[Endpoint, FrameDecoder] = {}

    def take_turn(self) -> None:
        """What the listener does behind a session."""
        self.pending += self.session.take_pending()
        if self.node.after_turn is not None:
            self.node.after_turn()
        self.received.append(self.session.take_later() + self.session.take_output())
        self.session.forget_served()

    def go_on(self) -> bool:
        """A step of each request that waits for nothing any more; whether there was one."""
        ready = [u for u in self.pending if u.awaited is None or getattr(u.awaited, "is_done", True)]
        for unanswered in ready:
            if self.session.step(unanswered):
                self.pending.remove(unanswered)
        if ready or self.session.waiting:
            if self.session.has_rest and not self.session.is_busy:
                self.session.resume()
            self.take_turn()
        return bool(ready)


class Cluster:
    """What is sent to `deaf` nodes is lost. `make_environment`: of each node; this machine's where there is none."""

    def __init__(
        self,
        count: int,
        make_environment: Callable[[int], Environment] | None = None,
        config: Config = Config(data=None),  # noqa: B008 - frozen
    ) -> None:
        self.deaf: dict[Endpoint, None] = {}
        self.make_environment = make_environment
        self.queue: deque[tuple[Part, Endpoint, bytes]] = deque()
        self.rng = random.Random(single.SEED)
        self.value = self.rng.randbytes(100)
        configs = node_configs(replace(config, host="127.0.0.1", port=1), count)
        seeds = [Endpoint(one.host, one.storage_port) for one in configs[:1]]
        self.parts: list[Part] = []
        for one in configs:
            self.parts.append(Part(self, one, seeds))
        self.by_endpoint = {part.endpoint: part for part in self.parts}
        for part in self.parts:
            part.station.start()
        self.run()
        for part in self.parts:
            assert len(part.node.member.cluster.live_peers) == count - 1  # type: ignore[union-attr]
            self.ask(part, requests.Startup({"CQL_VERSION": "3.0.0"}))
        factor = min(3, count)
        replication = f"{{'class': 'SimpleStrategy', 'replication_factor': {factor}}}"
        self.ask(self.parts[0], requests.Query(f"CREATE KEYSPACE load WITH replication = {replication}"))
        self.ask(self.parts[0], requests.Query(TABLE))
        self.ask(self.parts[0], requests.Query("CREATE TABLE load.hits (k bigint PRIMARY KEY, n counter)"))

    def carrier(self, sender: Part) -> Carry:
        encoder = FrameEncoder()

        def carry(receiver: Endpoint, messages: Sequence[Message]) -> None:
            self.queue.append((sender, receiver, encoder.encode(messages)))

        return carry

    def run(self) -> None:
        """Until nothing is under way any more."""
        is_busy = True
        while is_busy:
            touched: dict[Part, None] = {}
            for _ in range(len(self.queue)):
                sender, endpoint, data = self.queue.popleft()
                receiver = self.by_endpoint[endpoint]
                if endpoint in self.deaf:
                    continue
                decoder = receiver.decoders.setdefault(sender.endpoint, FrameDecoder())
                receiver.station.take(sender.endpoint, decoder.receive_data(data))
                touched[receiver] = None
            for receiver in touched:
                receiver.take_turn()
            went_on = [part.go_on() for part in self.parts]
            is_busy = any(went_on) or bool(self.queue)

    def serve(self, chunks: list[list[bytes]]) -> None:
        for of_nodes in chunks:
            for part, data in zip(self.parts, of_nodes, strict=True):
                part.session.receive(data)
                part.take_turn()
            self.run()
            while any(part.session.late_count for part in self.parts):  # two conditional writes were in each other's way
                wakes = [part.node.member.cluster.wake_s for part in self.parts]  # type: ignore[union-attr]
                time.sleep(max(0.0, min(wakes) - time.monotonic()))
                self.tick()

    def tick(self) -> None:
        """What is due at all nodes."""
        for part in self.parts:
            part.node.member.cluster.tick()  # type: ignore[union-attr]
            part.take_turn()
        self.run()

    def ask(self, part: Part, request: requests.Request) -> bytes:
        part.received.clear()
        part.session.receive(requests.encode(request, single.VERSION, 0))
        part.take_turn()
        self.run()
        return b"".join(part.received)

    def prepare(self, text: str) -> bytes:
        """At all nodes; its id."""
        for part in self.parts:
            decoder = EnvelopeDecoder(single.VERSION, responses=True)
            version, flags, _, opcode, body = decoder.receive_data(self.ask(part, requests.Prepare(text)))[0]
            prepared = responses.decode(version, flags, opcode, body).response
            assert isinstance(prepared, responses.PreparedResult), prepared
        return prepared.statement_id


Build = Callable[[], requests.Request]


def insert(cluster: Cluster, level: int) -> Build:
    statement_id, rng = cluster.prepare(single.INSERT), cluster.rng
    return lambda: execute(
        level, statement_id, single.bigint(rng.randrange(20_000)), single.integer(1), cluster.value, b"hello world"
    )


def read(cluster: Cluster, level: int) -> Build:
    statement_id, rng = cluster.prepare("SELECT k, c, v, s FROM load.t WHERE k = ? AND c = ?"), cluster.rng
    flags = requests.SKIP_METADATA
    return lambda: execute(level, statement_id, single.bigint(rng.randrange(20_000)), single.integer(1), flags=flags)


def serial_read(cluster: Cluster, level: int) -> Build:
    """At SERIAL, whatever the level."""
    return read(cluster, SERIAL)


def batch(cluster: Cluster, level: int) -> Build:
    statement_id, rng = cluster.prepare(single.INSERT), cluster.rng

    def build() -> requests.Request:
        key = single.bigint(rng.randrange(100_000))
        rows = [(key, single.integer(row), cluster.value, b"hello world") for row in range(10)]
        entries = tuple(requests.BatchEntry(statement_id, row) for row in rows)
        return requests.Batch(1, entries, requests.QueryOptions(consistency=level))

    return build


def slice_10(cluster: Cluster, level: int) -> Build:
    statement_id, rng = cluster.prepare("SELECT c, v, s FROM load.t WHERE k = ?"), cluster.rng
    flags = requests.SKIP_METADATA
    return lambda: execute(level, statement_id, single.bigint(rng.randrange(100_000)), flags=flags)


def execute(level: int, statement_id: bytes, *values: bytes, flags: int = 0) -> requests.Execute:
    return requests.Execute(statement_id, None, requests.QueryOptions(consistency=level, values=values, flags=flags))


def lwt(cluster: Cluster, level: int) -> Build:
    statement_id, rng = cluster.prepare(single.INSERT + " IF NOT EXISTS"), cluster.rng
    return lambda: execute(
        level, statement_id, single.bigint(1 << 40 | rng.getrandbits(30)), single.integer(1), cluster.value, b"hello world"
    )


def lwt_update(cluster: Cluster, level: int) -> Build:
    """Of rows that are there, on a condition that holds; now and then two of one row meet."""
    statement_id, rng = cluster.prepare("UPDATE load.t SET s = ? WHERE k = ? AND c = ? IF s != ?"), cluster.rng
    return lambda: execute(
        level, statement_id, b"good day", single.bigint(rng.randrange(20_000)), single.integer(1), b"nothing"
    )


def counter(cluster: Cluster, level: int) -> Build:
    statement_id, rng = cluster.prepare("UPDATE load.hits SET n = n + 1 WHERE k = ?"), cluster.rng
    return lambda: execute(level, statement_id, single.bigint(rng.randrange(20_000)))


WORKLOADS = {
    "insert": insert, "read": read, "serial": serial_read, "batch": batch, "slice": slice_10, "lwt": lwt,
    "update": lwt_update, "counter": counter,
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=6_000)
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--level", type=int, default=4, help="consistency, as the protocol numbers it")
    parser.add_argument("--profile", action="store_true", help="and show where the time goes")
    parser.add_argument("--sort", default="tottime")
    parser.add_argument("--lines", type=int, default=25)
    parser.add_argument("workloads", nargs="*", default=list(WORKLOADS))
    options = parser.parse_args()
    print(f"{'workload':12}{'us of CPU per request, all nodes':>36}")
    cluster = Cluster(options.nodes)
    garbage.set_up()
    for name in options.workloads:
        build = WORKLOADS[name](cluster, options.level)
        per_round = CHUNK * options.nodes
        rounds = max(10, options.count // per_round)
        chunks = [
            [b"".join(requests.encode(build(), single.VERSION, n) for n in range(CHUNK)) for _ in cluster.parts]
            for _ in range(rounds)
        ]
        warm = rounds // 10
        cluster.serve(chunks[:warm])
        for part in cluster.parts:
            part.received.clear()
        profile = cProfile.Profile() if options.profile else None
        if profile:
            profile.enable()
        began = time.process_time()
        cluster.serve(chunks[warm:])
        elapsed = time.process_time() - began
        if profile:
            profile.disable()
        decoder = EnvelopeDecoder(single.VERSION, responses=True)
        answers = [answer for part in cluster.parts for answer in decoder.receive_data(b"".join(part.received))]
        assert len(answers) == (rounds - warm) * per_round, f"{len(answers)} answers"
        assert all(opcode == responses.RESULT for _, _, _, opcode, _ in answers), name
        print(f"{name:12}{1e6 * elapsed / len(answers):36.2f}")
        if profile:
            pstats.Stats(profile).sort_stats(options.sort).print_stats(options.lines)


if __name__ == "__main__":
    main()
