"""Messages between two nodes over real connections: all of them, in order, whatever their size, and again when a peer is
back."""

import pytest
import trio
from wire_end import End, wait_taken

from cluster.gossip.endpoint import Endpoint
from cluster.internode.frames import Message
from cluster.internode.verbs import Verb
from cqlserver.clustering import tcp

pytestmark = pytest.mark.slow


def test_all_messages_arrive_in_order_whatever_their_size() -> None:
    async def talk() -> None:
        async with trio.open_nursery() as nursery:
            one, other = End(), End()
            await nursery.start(one.run)
            await nursery.start(other.run)
            # less than what has a connection of its own, and more in all than a socket takes at once
            sent = [Message(1, number, bytes([number % 256]) * 60_000) for number in range(300)]
            for message in sent:
                one.wire.carry(other.endpoint, [message])
            assert await wait_taken(other, len(sent)) == sent
            for message in sent:  # now the connection is there, and idle
                one.wire.carry(other.endpoint, [message])
            assert await wait_taken(other, 2 * len(sent)) == sent + sent
            other.wire.carry(one.endpoint, [Message(2, 1, b"back"), Message(2, 2, b"")])
            assert await wait_taken(one, 2) == [Message(2, 1, b"back"), Message(2, 2, b"")]
            await one.wire.flushed()
            nursery.cancel_scope.cancel()

    trio.run(talk)


def test_a_node_that_is_elsewhere_than_it_says_is_reached_by_its_route_also_when_that_changes() -> None:
    async def talk() -> None:
        async with trio.open_nursery() as nursery:
            told = Endpoint("127.0.0.9", 1)
            one, before, after = End(), End(known_as=told), End(known_as=told)
            for end in (one, before, after):
                await nursery.start(end.run)
            routes = {told: before.endpoint}
            one.wire.route = lambda endpoint: routes[endpoint]
            sent = [Message(1, 0, b"before")]
            one.wire.carry(told, sent)
            assert await wait_taken(before, 1) == sent
            routes[told] = after.endpoint
            one.wire.follow_routes()
            with trio.fail_after(20):
                while not after.station.taken:
                    sent.append(Message(1, len(sent), b"anywhere"))
                    one.wire.carry(told, sent[-1:])
                    await trio.sleep(0.001)
            with trio.fail_after(20):
                while len(before.station.taken) + len(after.station.taken) < len(sent):
                    await trio.sleep(0.001)
            assert before.station.taken + after.station.taken == sent
            nursery.cancel_scope.cancel()

    trio.run(talk)


def test_what_is_given_up_is_counted_by_its_verb(monkeypatch: pytest.MonkeyPatch) -> None:
    """More than may wait for a peer, and what waited for one that can't be reached."""

    async def talk() -> None:
        async with trio.open_nursery() as nursery:
            one, other, nobody = End(), End(), Endpoint("127.0.0.1", 1)
            await nursery.start(one.run)
            await nursery.start(other.run)
            one.wire.carry(nobody, [Message(Verb.MUTATE, 1, b"x"), Message(Verb.READ, 2, b"x")])
            with trio.fail_after(20):
                while one.wire.traffic.dropped.total() < 2:
                    await trio.sleep(0.001)
            one.wire.carry(other.endpoint, [Message(Verb.SYN, 1, b"arrives")])
            await wait_taken(other, 1)
            monkeypatch.setattr(tcp, "QUEUE_BYTES_MAX", 10)
            one.wire.carry(other.endpoint, [Message(Verb.HINTS, 3, b"x" * 11)])
            assert one.wire.traffic.dropped == {Verb.MUTATE: 1, Verb.READ: 1, Verb.HINTS: 1}
            assert other.wire.traffic.dropped == {}
            nursery.cancel_scope.cancel()

    trio.run(talk)


def test_a_connection_with_what_no_node_says_ends_and_the_next_one_works() -> None:
    async def talk() -> None:
        async with trio.open_nursery() as nursery:
            one, other = End(), End()
            await nursery.start(one.run)
            await nursery.start(other.run)
            one.wire.carry(other.endpoint, [Message(1, 1, b"bad")])
            await wait_taken(other, 1)
            with trio.fail_after(20):
                while len(other.station.taken) < 2:  # what is sent until the end is noticed is lost
                    one.wire.carry(other.endpoint, [Message(1, 2, b"good")])
                    await trio.sleep(0.01)
            nursery.cancel_scope.cancel()

    trio.run(talk)


def test_a_peer_that_is_back_is_spoken_to_again() -> None:
    async def talk() -> None:
        async with trio.open_nursery() as nursery:
            one, other = End(), End()
            await nursery.start(one.run)
            async with trio.open_nursery() as life:
                await life.start(other.run)
                one.wire.carry(other.endpoint, [Message(1, 1, b"first")])
                await wait_taken(other, 1)
                life.cancel_scope.cancel()
            again = End(other.endpoint.port)
            await nursery.start(again.run)
            with trio.fail_after(20):
                while not again.station.taken:
                    one.wire.carry(again.endpoint, [Message(1, 2, b"second")])
                    await trio.sleep(0.01)
            nursery.cancel_scope.cancel()

    trio.run(talk)
