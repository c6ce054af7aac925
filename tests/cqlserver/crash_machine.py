"""A node in this process, on a disk that counts what is asked of it, and forgets and fails on command."""

from collections import Counter
from collections.abc import Iterator
from copy import deepcopy
from typing import ClassVar

from cqlserver.connections.session import Session
from cqlserver.node import Node
from cqlserver.program.config import Config
from cqlserver.program.server import open_node
from protocol import requests, responses
from protocol.frames import EnvelopeDecoder
from storage.environment.environment import Environment, ManualClock, Rng
from storage.environment.memory import FaultyDisk
from storage.environment.strands import InlineWorkers

VERSION = 4
KEPT = ("none", "names", "half")


class CountingDisk(FaultyDisk):
    """`calls`: how often each operation was asked for. `failed`: how often it failed."""

    def __init__(self) -> None:
        super().__init__()
        self.calls, self.failed = Counter[str](), Counter[str]()

    def before(self, operation: str, path: str) -> None:
        self.calls[operation] += 1
        try:
            super().before(operation, path)
        except OSError:
            self.failed[operation] += 1
            raise


class CrashMachine:
    """A disk, and the node that runs on it; `seed`: of its dice."""

    seed: ClassVar[bytes]

    def __init__(self) -> None:
        self.disk, self.clock = CountingDisk(), ManualClock()
        self.node = self.start()

    def config(self) -> Config:
        raise NotImplementedError

    def start(self) -> Node:
        environment = Environment(self.clock, Rng(self.seed), self.disk, InlineWorkers())
        self.node = open_node(self.config(), environment)
        self.node.describe_itself()
        self.session = Session(self.node, "127.0.0.1", 1)
        self.ask(requests.Startup({"CQL_VERSION": "3.0.0"}))
        return self.node

    def ask(self, request: requests.Request) -> responses.Response:
        self.session.receive(requests.encode(request, VERSION, 0))
        self.session.finish()
        output = self.session.take_later() + self.session.take_output()
        self.session.forget_served()
        version, flags, _, opcode, body = EnvelopeDecoder(VERSION, responses=True).receive_data(output)[0]
        return responses.decode(version, flags, opcode, body).response

    def crashes(self) -> Iterator[str]:
        """One crash after the other, each of the disk as it is now, each with something else kept of what was not synced."""
        disk = self.disk
        for kept in KEPT:
            self.disk = deepcopy(disk)
            self.crash(kept)
            yield kept

    def crash(self, kept: str) -> None:
        """It stops, and the disk works again; of what was not synced is `kept`: none, names, half."""
        self.disk.heal()
        self.disk.crash((lambda unsynced: unsynced // 2) if kept == "half" else (lambda unsynced: 0), kept == "names")
