"""How nodetool takes its arguments apart: groups of commands, options that come several times, what can't be left out."""

import pytest

from cqlserver.nodetool.arguments import Command, Group, Option, UsageError, parse

LIST = Command("sessions list", "", "sessions", (Option(("-a", "--all"), ""),))
CANCEL = Command("sessions cancel", "", "sessions")
HOSTS = Command("repair", "", "repair", (Option(("-hosts", "--in-hosts"), "", "specific_host", is_repeated=True),))
COUNT = Command("count", "", "count", (), "<n>", "", required="how_many", is_integer=True)
COMMANDS = {command.name: command for command in (LIST, CANCEL, HOSTS, COUNT)}
GROUPS = {"sessions": Group("sessions", "", "sessions list", ""), "other": Group("other", "", "", "")}


def test_a_group_stands_for_its_first_command() -> None:
    assert parse(["sessions"], COMMANDS, GROUPS).command is LIST
    assert parse(["sessions", "-a"], COMMANDS, GROUPS).options["all"] is True
    assert parse(["sessions", "cancel"], COMMANDS, GROUPS).command is CANCEL
    assert parse(["other"], COMMANDS, GROUPS).command is None


def test_a_word_that_is_no_command_of_a_group_is_unexpected() -> None:
    with pytest.raises(UsageError, match=r"Found unexpected parameters: \[nosuch\]"):
        parse(["sessions", "nosuch"], COMMANDS, GROUPS)


def test_repeated_options_are_a_list() -> None:
    assert parse(["repair", "-hosts", "a", "-hosts", "b"], COMMANDS).options["in_hosts"] == ["a", "b"]
    assert parse(["repair"], COMMANDS).options["in_hosts"] == []


def test_what_is_required_is_missed_and_numbers_are_checked() -> None:
    with pytest.raises(UsageError, match="Required parameters are missing: how_many"):
        parse(["count"], COMMANDS)
    with pytest.raises(UsageError, match='how_many: can not convert "x" to a Integer'):
        parse(["count", "x"], COMMANDS)
    assert parse(["count", "3"], COMMANDS).arguments == ["3"]
