"""Which partitions are read and written most: sampled for a while, or again and again by a job that tells the log
(nodetool profileload; metrics/SamplingManager.java)."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import trio

from cqlserver.control.context import BadArgument, Control, Refused
from cqlserver.control.parts import the_store
from cqlserver.control.storing import chosen_stores
from cqlserver.metrics.profile import AlreadySampling, Profile
from cqlserver.metrics.samplers import SAMPLERS
from cqlserver.nodetool.sampled import formatted
from storage.schema.metadata import TableMetadata

if TYPE_CHECKING:
    from cqlserver.node import Node

log = logging.getLogger("cqlserver.metrics")

CAPACITY_MAX: Final = 1_024
ALL: Final = "*"


class SamplingInProgress(Refused):
    code = "SamplingInProgress"


@dataclass(frozen=True, slots=True)
class Wanted:
    """`keyspace`, `table` None: all. Times are in milliseconds."""

    keyspace: str | None
    table: str | None
    duration_ms: int
    capacity: int
    count: int
    samplers: Sequence[str]

    @property
    def name(self) -> str:
        return f"{self.keyspace or ALL}.{self.table or ALL}"


async def sample_partitions(control: Control, **given: object) -> object:
    """By sampler."""
    wanted = _wanted(given)
    tables = _tables(control, wanted)
    node = control.node
    _begin(node, tables, wanted)
    try:
        await trio.sleep(wanted.duration_ms / 1_000)
    finally:
        found = _finish(node, tables, wanted)
    return {"samples": found}


async def schedule_samples(control: Control, *, interval_ms: int, **given: object) -> object:
    """Whether it could: not beside another job on the same tables."""
    wanted = _wanted(given)
    if interval_ms < wanted.duration_ms:
        raise BadArgument(f"interval_ms is {interval_ms}, and less than duration_ms")
    tables = _tables(control, wanted)
    jobs, of_keyspace = control.sampling_jobs, f"{wanted.keyspace}.{ALL}"
    if f"{ALL}.{ALL}" in jobs or wanted.name in jobs or of_keyspace in jobs or (jobs and wanted.keyspace is None):
        return {"done": False}
    jobs[wanted.name] = True
    trio.lowlevel.spawn_system_task(_job, control, tables, wanted, interval_ms / 1_000)
    return {"done": True}


async def stop_samples(control: Control, *, keyspace: str | None, table: str | None) -> object:
    """Whether there was one; it ends when its samples of now are told. Without a keyspace: all."""
    jobs, name = control.sampling_jobs, f"{keyspace or ALL}.{table or ALL}"
    names = [one for one in jobs if jobs[one]] if keyspace is None else [name] if jobs.get(name) else []
    for one in names:
        jobs[one] = False
    return {"done": bool(names) or keyspace is None}


async def sampling_jobs(control: Control) -> object:
    """By keyspace and table, `*` for all."""
    return {"jobs": list(control.sampling_jobs)}


async def _job(control: Control, tables: Sequence[TableMetadata], wanted: Wanted, interval_s: float) -> None:
    node = control.node
    try:
        while control.sampling_jobs[wanted.name]:
            _begin(node, tables, wanted)
            try:
                await trio.sleep(interval_s)
            finally:
                found = _finish(node, tables, wanted)
            log.info("%s", formatted(found, wanted.samplers, is_first=False))
    except SamplingInProgress as error:
        log.warning("The sampling of %s has ended: %s", wanted.name, error)
    except Exception as error:  # noqa: BLE001 - told; it ends this job
        node.border.tell(error)
    finally:
        del control.sampling_jobs[wanted.name]


def _wanted(given: Mapping[str, object]) -> Wanted:
    wanted = Wanted(**given)  # type: ignore[arg-type]
    unknown = [sampler for sampler in wanted.samplers if sampler not in SAMPLERS]
    if unknown:
        raise BadArgument(f"'{unknown[0]}' sampler is not available from: [{', '.join(SAMPLERS)}]")
    if wanted.duration_ms <= 0 or not 0 < wanted.count < wanted.capacity <= CAPACITY_MAX:
        raise BadArgument(f"duration_ms and count are positive, count is less than capacity, that is {CAPACITY_MAX} at most")
    return wanted


def _tables(control: Control, wanted: Wanted) -> list[TableMetadata]:
    if wanted.keyspace is not None and wanted.table is not None:
        return [the_store(control, wanted.keyspace, wanted.table).table]
    hidden = control.node.engine.indexed.hidden
    return [store.table for store in chosen_stores(control, wanted.keyspace, (), "all") if store.table.id not in hidden]


def _begin(node: "Node", tables: Sequence[TableMetadata], wanted: Wanted) -> None:
    if node.profile is None:
        node.profile = Profile(node.environment.clock.monotonic, node.engine.stores.__getitem__)
    try:
        node.profile.begin(tables, wanted.samplers, wanted.capacity, wanted.duration_ms / 1_000)
    except AlreadySampling as error:
        raise SamplingInProgress(str(error)) from None
    node.choose_paths()


def _finish(node: "Node", tables: Sequence[TableMetadata], wanted: Wanted) -> dict[str, list[dict[str, object]]]:
    assert node.profile is not None
    found = node.profile.finish(tables, wanted.samplers, wanted.count)
    node.choose_paths()
    return {sampler: [sample._asdict() for sample in samples] for sampler, samples in found.items()}
