"""Whose turn it is: connections one after the other, and those who have just begun more often."""

from cqlserver.connections.turns import YOUNG_IN_ROW, YOUNG_S, Turns


def test_connections_take_turns_however_much_each_has_under_way() -> None:
    turns: Turns[str, int] = Turns()
    for number in range(5):
        turns.add("busy", number, 0.0)
    turns.add("other", 0, 0.0)
    order = []
    while len(turns):
        order.append(turns.next())
    assert order == [("busy", 0), ("other", 0), ("busy", 1), ("busy", 2), ("busy", 3), ("busy", 4)]


def test_requests_of_one_connection_take_turns_among_themselves() -> None:
    turns: Turns[str, str] = Turns()
    for name in ("a", "b"):
        turns.add("one", name, 0.0)
    seen = []
    for _ in range(4):
        connection, name = turns.next()
        seen.append(name)
        turns.add(connection, name, 0.0)
    assert seen == ["a", "b", "a", "b"]


def test_the_young_have_most_of_the_turns_and_the_old_some() -> None:
    turns: Turns[str, str] = Turns()
    for number in range(9):
        turns.add(f"old {number}", "long", YOUNG_S)
    turns.add("young", "short", 0.0)
    seen = []
    for _ in range(8 * (YOUNG_IN_ROW + 1)):
        connection, name = turns.next()
        seen.append(connection)
        turns.add(connection, name, 0.0 if connection == "young" else YOUNG_S)
    assert seen.count("young") == 8 * YOUNG_IN_ROW
    assert len(set(seen)) == 9  # eight of the old had one turn each


def test_nobody_has_a_turn_any_more() -> None:
    turns: Turns[int, str] = Turns()
    turns.add(1, "a", 0.0)
    turns.add(2, "b", YOUNG_S)
    assert sorted(turns.take_all()) == ["a", "b"]
    assert not len(turns)
