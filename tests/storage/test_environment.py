"""Clocks, randomness, and one contract for all disks."""

from collections.abc import Callable
from pathlib import Path

import pytest

from protocol.errors import StorageError
from storage.environment.disk import RealDisk
from storage.environment.environment import Disk, ManualClock, Rng, SystemClock, TimeUuidSource
from storage.environment.memory import FaultyDisk, MemoryDisk

DISKS: dict[str, Callable[[], Disk]] = {"real": RealDisk, "memory": MemoryDisk, "faulty": FaultyDisk}


@pytest.fixture(params=DISKS)
def disk(request: pytest.FixtureRequest) -> Disk:
    return DISKS[request.param]()


@pytest.fixture
def folder(disk: Disk, tmp_path: Path) -> str:
    path = f"{tmp_path}/data"
    disk.mkdirs(path)
    return path


# --- clocks and randomness -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("clock", [SystemClock(), ManualClock()], ids=["system", "manual"])
def test_write_timestamps_never_repeat(clock: SystemClock | ManualClock) -> None:
    times = [clock.wall_us() for _ in range(1000)]
    assert times == sorted(set(times))


def test_a_manual_clock_moves_only_by_advance() -> None:
    clock = ManualClock(start_us=5_000_000)
    assert (clock.now_s(), clock.monotonic(), clock.wall_us()) == (5, 0.0, 5_000_000)
    clock.advance(1.5)
    assert (clock.now_s(), clock.monotonic(), clock.wall_us()) == (6, 1.5, 6_500_000)
    with pytest.raises(ValueError):
        clock.advance(-1)


def test_forks_of_one_seed_are_repeatable_and_independent() -> None:
    drawn = Rng(b"seed")
    drawn.bytes(100)
    assert drawn.fork("tokens").bytes(8) == Rng(b"seed").fork("tokens").bytes(8)
    assert Rng(b"seed").fork("tokens").bytes(8) != Rng(b"seed").fork("ballots").bytes(8)


def test_uuid4_has_its_version() -> None:
    made = Rng(b"seed").uuid4()
    assert (made.version, made.variant) == (4, "specified in RFC 4122")


def test_timeuuids_increase_even_when_the_clock_stands_still() -> None:
    clock = ManualClock(start_us=1_700_000_000_123_456)
    source = TimeUuidSource(clock, Rng(b"seed"))
    made = [source.timeuuid() for _ in range(200)]
    assert [u.time for u in made] == sorted({u.time for u in made})
    assert {u.version for u in made} == {1}
    assert {u.node >> 40 & 1 for u in made} == {1}
    # 100-ns ticks since 1582
    assert made[0].time == (1_700_000_000_123_456 + 12_219_292_800_000_000) * 10


# --- the disk's contract ---------------------------------------------------------------------------------------------


def test_what_is_appended_can_be_read(disk: Disk, folder: str) -> None:
    file = disk.open_append(f"{folder}/a")
    file.write(b"one")
    file.write(b"two")
    assert disk.read_file(f"{folder}/a") == b"onetwo"
    file.sync()
    file.close()
    again = disk.open_append(f"{folder}/a")
    again.write(b"three")
    again.close()
    assert disk.read_file(f"{folder}/a") == b"onetwothree"
    assert disk.size(f"{folder}/a") == 11


def test_pread_reads_anywhere_and_ends_at_the_end(disk: Disk, folder: str) -> None:
    disk.write_file_atomically(f"{folder}/a", b"0123456789")
    file = disk.open_read(f"{folder}/a")
    assert file.size == 10
    assert file.pread(3, 4) == b"3456"
    assert file.pread(8, 4) == b"89"
    assert file.pread(20, 4) == b""
    file.close()


def test_a_file_is_replaced_as_a_whole(disk: Disk, folder: str) -> None:
    disk.write_file_atomically(f"{folder}/a", b"old content")
    disk.write_file_atomically(f"{folder}/a", b"new")
    assert disk.read_file(f"{folder}/a") == b"new"
    assert disk.list(folder) == ["a"]


def test_list_is_sorted_and_empty_for_no_folder(disk: Disk, folder: str) -> None:
    for name in ("c", "a", "b"):
        disk.write_file_atomically(f"{folder}/{name}", b"")
    disk.mkdirs(f"{folder}/d/e")
    assert disk.list(folder) == ["a", "b", "c", "d"]
    assert disk.list(f"{folder}/d") == ["e"]
    assert disk.list(f"{folder}/nowhere") == []


def test_unlink_and_exists(disk: Disk, folder: str) -> None:
    disk.write_file_atomically(f"{folder}/a", b"")
    assert disk.exists(f"{folder}/a")
    assert disk.exists(folder)
    disk.unlink(f"{folder}/a")
    assert not disk.exists(f"{folder}/a")
    with pytest.raises(FileNotFoundError):
        disk.unlink(f"{folder}/a")


def test_files_and_folders_are_renamed(disk: Disk, folder: str) -> None:
    disk.write_file_atomically(f"{folder}/a", b"new")
    disk.write_file_atomically(f"{folder}/b", b"old")
    disk.rename(f"{folder}/a", f"{folder}/b")
    assert (disk.list(folder), disk.read_file(f"{folder}/b")) == (["b"], b"new")
    disk.mkdirs(f"{folder}/x/y")
    disk.write_file_atomically(f"{folder}/x/y/c", b"deep")
    disk.rename(f"{folder}/x", f"{folder}/z")
    assert disk.read_file(f"{folder}/z/y/c") == b"deep"
    assert not disk.exists(f"{folder}/x")
    with pytest.raises(FileNotFoundError):
        disk.rename(f"{folder}/none", f"{folder}/c")


def test_a_file_has_two_names(disk: Disk, folder: str) -> None:
    disk.write_file_atomically(f"{folder}/a", b"data")
    disk.link(f"{folder}/a", f"{folder}/b")
    disk.unlink(f"{folder}/a")
    assert disk.read_file(f"{folder}/b") == b"data"
    with pytest.raises(FileExistsError):
        disk.link(f"{folder}/b", f"{folder}/b")


def test_empty_folders_are_removed(disk: Disk, folder: str) -> None:
    disk.mkdirs(f"{folder}/x")
    disk.write_file_atomically(f"{folder}/x/a", b"")
    with pytest.raises(OSError):
        disk.remove_folder(f"{folder}/x")
    disk.unlink(f"{folder}/x/a")
    assert disk.is_folder(f"{folder}/x")
    disk.remove_folder(f"{folder}/x")
    assert not disk.is_folder(f"{folder}/x")


def test_truncate_cuts(disk: Disk, folder: str) -> None:
    disk.write_file_atomically(f"{folder}/a", b"0123456789")
    disk.truncate(f"{folder}/a", 4)
    assert disk.read_file(f"{folder}/a") == b"0123"


def test_missing_files_and_folders(disk: Disk, folder: str) -> None:
    for use in (disk.read_file, disk.open_read, disk.size):
        with pytest.raises(FileNotFoundError):
            use(f"{folder}/missing")
    with pytest.raises(FileNotFoundError):
        disk.open_append(f"{folder}/missing/a")


def test_a_folder_has_one_owner(disk: Disk, folder: str) -> None:
    lock = disk.lock(folder)
    with pytest.raises(StorageError, match=r"in use by another server \(pid \d+\)"):
        disk.lock(folder)
    lock.release()
    disk.lock(folder).release()


@pytest.mark.parametrize("count", [1, 20])
def test_many_files_are_made_durable_together(disk: Disk, folder: str, count: int) -> None:
    disk.mkdirs(f"{folder}/inner", durably=False)
    paths = [f"{folder}/inner/{number}" for number in range(count)]
    for path in paths:
        disk.open_append(path).write(b"data")
    disk.sync_all(paths, [folder, f"{folder}/inner"])
    if isinstance(disk, FaultyDisk):
        disk.crash()
    assert [disk.read_file(path) for path in paths] == [b"data"] * count
    with pytest.raises(OSError):
        disk.sync_all(["/not/there"], [])


def test_sync_folder(disk: Disk, folder: str) -> None:
    disk.sync_folder(folder)


# --- faults ----------------------------------------------------------------------------------------------------------


def faulty_file() -> tuple[FaultyDisk, str]:
    disk = FaultyDisk()
    disk.mkdirs("/d")
    file = disk.open_append("/d/a")
    file.write(b"kept")
    file.sync()
    disk.sync_folder("/d")
    return disk, "/d/a"


def test_a_crash_forgets_what_was_not_synced() -> None:
    disk, path = faulty_file()
    file = disk.open_append(path)
    file.write(b"lost")
    disk.crash()
    assert disk.read_file(path) == b"kept"
    with pytest.raises(OSError, match="crashed"):
        file.write(b"more")


def test_a_crash_may_keep_a_part() -> None:
    disk, path = faulty_file()
    disk.open_append(path).write(b"lost")
    disk.crash(lambda unsynced: unsynced - 1)
    assert disk.read_file(path) == b"keptlos"


def test_a_crash_forgets_names_that_were_not_synced() -> None:
    disk, _ = faulty_file()
    file = disk.open_append("/d/b")
    file.write(b"data")
    file.sync()
    disk.crash()
    assert disk.list("/d") == ["a"]


@pytest.mark.parametrize("names_kept", [False, True])
def test_a_crash_may_undo_what_was_renamed_and_removed(names_kept: bool) -> None:
    disk = FaultyDisk()
    disk.mkdirs("/d")
    for name in "abc":
        disk.write_file_atomically(f"/d/{name}", name.encode())
    disk.rename("/d/a", "/d/b")
    disk.unlink("/d/c")
    disk.crash(names_kept=names_kept)
    assert disk.list("/d") == (["b"] if names_kept else ["a", "b", "c"])
    assert disk.read_file("/d/b") == (b"a" if names_kept else b"b")


def test_a_failed_sync_loses_the_data_and_the_next_one_lies() -> None:
    disk, path = faulty_file()
    file = disk.open_append(path)
    file.write(b"lost")
    disk.fail("sync")
    with pytest.raises(OSError):
        file.sync()
    disk.heal()
    file.sync()
    disk.crash()
    assert disk.read_file(path) == b"kept"


def test_a_full_disk_takes_a_part_of_a_write() -> None:
    disk, path = faulty_file()
    disk.free_bytes = 2
    with pytest.raises(OSError, match="No space left"):
        disk.open_append(path).write(b"12345")
    assert disk.read_file(path) == b"kept12"
