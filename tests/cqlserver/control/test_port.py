"""What goes wrong behind the control port ends a connection there, and nothing else."""

import importlib
import logging
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import cast

import pytest
import trio
from small_session import SmallSession

from cqlserver.connections.listener import Listener
from cqlserver.control.context import Control, Exclusive
from cqlserver.control.port import open_control_socket, serve_control
from cqlserver.pending import Pending, Steps
from storage.environment.errands import Errand


def asked(address: tuple[str, int]) -> bytes:
    with socket.create_connection(address, 10) as stream:
        stream.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nConnection: close\r\n\r\n" % address[1])
        found = b""
        with suppress(ConnectionResetError):  # it was closed with our request unread
            while data := stream.recv(1 << 16):
                found += data
        return found


def test_code_that_cannot_be_loaded_and_a_connection_that_raises(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    node = SmallSession(False, ()).node
    real, tried = importlib.import_module, list[str]()

    def failing(name: str) -> object:
        tried.append(name)
        if len(tried) == 1:
            raise ImportError("no such code")
        return real(name)

    async def main() -> None:
        with open_control_socket(0) as sock:
            address = sock.getsockname()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(serve_control, sock, node, cast(Listener, None))
                monkeypatch.setattr(importlib, "import_module", failing)
                assert await trio.to_thread.run_sync(asked, address) == b""
                assert b"200 OK" in await trio.to_thread.run_sync(asked, address)
                http = real("cqlserver.control.http")
                with monkeypatch.context() as broken:
                    broken.setattr(http.ControlServer, "_serve_request", None)
                    assert await trio.to_thread.run_sync(asked, address) == b""
                assert b"200 OK" in await trio.to_thread.run_sync(asked, address)
                nursery.cancel_scope.cancel()

    with caplog.at_level(logging.ERROR, "cqlserver"):
        trio.run(main)
    assert tried == ["cqlserver.control.http"] * 2
    assert "no such code" in caplog.text
    assert "'NoneType' object is not callable" in caplog.text


def test_an_errand_is_waited_for_without_steps() -> None:
    node = SmallSession(False, ()).node
    steps = 0
    errand = Errand(lambda: 5)

    def work() -> Steps[int]:
        yield errand
        return errand.result

    class Counted(Pending[int]):
        __slots__ = ()

        def step(self) -> bool:
            nonlocal steps
            steps += 1
            return super().step()

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            answers = []

            async def ask() -> None:
                answers.append(await Control(node, cast(Exclusive, None)).in_turns(lambda: Counted(work())))

            nursery.start_soon(ask)
            for _ in range(100):
                await trio.lowlevel.checkpoint()
            assert not answers
            errand.run()
        assert answers == [5]

    trio.run(main)
    assert steps == 2


def test_what_a_turn_has_for_others_leaves_before_it_waits_for_their_answer() -> None:
    node = SmallSession(False, ()).node
    errand = Errand(lambda: 5)
    turns = list[str]()

    def work() -> Steps[int]:
        yield errand
        return errand.result

    def carry() -> None:
        turns.append("carried")
        if not errand.is_done:
            errand.run()

    class Between:
        async def exclusively(self, action: Callable[[], int]) -> int:
            turns.append("exclusively")
            return action()

    async def main() -> None:
        node.after_turn = carry
        control = Control(node, cast(Exclusive, Between()))
        with trio.fail_after(10):
            assert await control.in_turns(lambda: Pending(work())) == 5
        assert turns == ["carried"] * 2  # when it waits, and when it is over
        turns.clear()
        assert await control.in_turns(lambda: 6) == 6
        assert await control.exclusively(lambda: 7) == 7
        assert turns == ["carried", "exclusively", "carried"]

    trio.run(main)
