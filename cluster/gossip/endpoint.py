"""What a node knows of another one (gms/EndpointState.java): a heartbeat and application states, each with a version.

A node alone raises the versions of what it says of itself, all from one counter, so the highest version that somebody
has seen of it says which of its states he lacks. A generation is one life of a process, in seconds since 1970: a node that
starts again begins a higher one, and whatever was said of the one before is void.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum
from types import MappingProxyType
from typing import NamedTuple, NewType

Generation = NewType("Generation", int)
Version = NewType("Version", int)

NO_VERSION = Version(-1)
"""Below all versions: whoever has this has nothing (HeartBeatState.EMPTY_VERSION)."""


class Endpoint(NamedTuple):
    """Where nodes reach a node: its broadcast address and storage port."""

    address: str
    port: int

    def __str__(self) -> str:
        return f"{self.address}:{self.port}"


class ApplicationState(IntEnum):
    """gms/ApplicationState.java, by its numbers."""

    LOAD = 1
    SCHEMA = 2
    DC = 3
    RACK = 4
    RELEASE_VERSION = 5
    REMOVAL_COORDINATOR = 6
    SEVERITY = 9
    NET_VERSION = 10
    HOST_ID = 11
    TOKENS = 12
    RPC_READY = 13
    INTERNAL_ADDRESS_AND_PORT = 14
    NATIVE_ADDRESS_AND_PORT = 15
    STATUS_WITH_PORT = 16
    SSTABLE_VERSIONS = 17
    DISK_USAGE = 18


class VersionedValue(NamedTuple):
    value: str
    version: Version


@dataclass(frozen=True, slots=True)
class EndpointState:
    """One node's heartbeat and states, as far as they are known here. `since`: of what is told to somebody, what is not
    newer is left out; who lacks that must not take the rest for all that there is."""

    generation: Generation
    heartbeat: Version
    states: Mapping[ApplicationState, VersionedValue] = field(default_factory=lambda: MappingProxyType({}))
    since: Version = NO_VERSION

    @property
    def max_version(self) -> Version:
        return Version(max(self.heartbeat, *(state.version for state in self.states.values()), NO_VERSION))

    def get(self, key: ApplicationState) -> str | None:
        found = self.states.get(key)
        return None if found is None else found.value

    def newer_than(self, version: Version) -> "EndpointState":
        """What somebody lacks who has seen everything up to `version`."""
        states = {key: state for key, state in self.states.items() if state.version > version}
        return replace(self, states=MappingProxyType(states), since=version)

    def with_states(self, states: Mapping[ApplicationState, VersionedValue], heartbeat: Version) -> "EndpointState":
        """The same life with newer states."""
        return replace(self, heartbeat=heartbeat, states=MappingProxyType({**self.states, **states}))
