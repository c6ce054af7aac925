"""How nodetool takes its arguments apart (airline, the library that Cassandra's tool uses for it).

An option that is not known is an argument like any other: `flush -x` flushes a keyspace called -x.
"""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple


class UsageError(Exception):
    """What nodetool answers with exit status 1 and a hint at its help."""


class Option(NamedTuple):
    """`title`: of its value, None where it takes none; `is_integer`: its value is a whole number; `is_repeated`: it may be
    given several times, and its value is a list; `is_required`: help says so, and the command that it is missing."""

    names: tuple[str, ...]
    summary: str
    title: str | None = None
    is_integer: bool = False
    is_repeated: bool = False
    is_required: bool = False

    @property
    def default(self) -> "Value":
        return [] if self.is_repeated else None if self.title else False

    @property
    def key(self) -> str:
        """Under which its value is found: the last of its names, without dashes."""
        return self.names[-1].lstrip("-").replace("-", "_")


class Group(NamedTuple):
    """Commands of two words that begin alike. `default`: the command that the first word alone stands for, "" for none;
    `default_summary`: what it does then."""

    name: str
    summary: str
    default: str
    default_summary: str


class Command(NamedTuple):
    """`usage`: what its arguments are called, "" where it takes none. `module` is one of `doing/`, which has a function of
    the command's name. A name of two words is a command of a group. `required`: what its argument is called that it can't
    do without; `is_integer`: which is a whole number."""

    name: str
    summary: str
    module: str
    options: tuple[Option, ...] = ()
    usage: str = ""
    usage_summary: str = ""
    required: str = ""
    is_integer: bool = False


Value = str | bool | list[str] | None


TABLES: Final = "[<keyspace> <tables>...]"
TABLES_SUMMARY: Final = "The keyspace followed by one or many tables"
"""The arguments of commands on tables."""

GLOBAL_OPTIONS: Final = (
    Option(("-h", "--host"), "Node hostname or ip address", "host"),
    Option(("-p", "--port"), "Remote jmx agent port number", "port"),
    Option(("-pp", "--print-port"), "Operate in 4.0 mode with hosts disambiguated by port number"),
    Option(("-pw", "--password"), "Remote jmx agent password", "password"),
    Option(("-pwf", "--password-file"), "Path to the JMX password file", "passwordFilePath"),
    Option(("-u", "--username"), "Remote jmx agent username", "username"),
)

NO_GROUPS: Final[Mapping[str, Group]] = {}


class Parsed(NamedTuple):
    """A command with what it was given. Options that were not are None, False or []."""

    command: Command | None
    options: dict[str, Value]
    arguments: list[str]


def parse(words: Sequence[str], commands: Mapping[str, Command], groups: Mapping[str, Group] = NO_GROUPS) -> Parsed:
    """`groups`: by their names. Raises UsageError."""
    rest = list(words)
    options: dict[str, Value] = {option.key: option.default for option in GLOBAL_OPTIONS}
    while rest and _take_option(rest, GLOBAL_OPTIONS, options):
        pass
    command = _take_command(rest, commands, groups)
    if command is None:
        return Parsed(None, options, [])
    options |= {option.key: option.default for option in command.options}
    # of two options with one name the command's own counts
    known = (*GLOBAL_OPTIONS, *command.options)
    arguments: list[str] = []
    while rest:
        if rest[0] == "--":
            arguments += rest[1:]
            break
        if not _take_option(rest, known, options):
            arguments.append(rest.pop(0))
    if arguments and not command.usage:
        raise UsageError(f"Found unexpected parameters: [{', '.join(arguments)}]")
    if command.required and not arguments:
        raise UsageError(f"Required parameters are missing: {command.required}")
    if command.is_integer:
        _check_integer(command.required, arguments[0], "Integer")
    return Parsed(command, options, arguments)


def _take_command(
    rest: list[str], commands: Mapping[str, Command], groups: Mapping[str, Group]
) -> Command | None:
    """Takes its name from the front of `rest`; None where there is none, or a group's that stands for none."""
    if not rest:
        return None
    count = 2 if rest[0] in groups and " ".join(rest[:2]) in commands else 1
    name = " ".join(rest[:count])
    if name in groups:
        name = groups[name].default
        if not name:
            return None
    if name not in commands:
        raise UsageError(f"Found unexpected parameters: [{', '.join(rest)}]")
    del rest[:count]
    return commands[name]


def _take_option(rest: list[str], known: Sequence[Option], options: dict[str, Value]) -> bool:
    """Takes an option and its value from the front of `rest`; whether there was one."""
    by_name = {name: option for option in known for name in option.names}
    name, equals, value = rest[0].partition("=")
    option = by_name.get(rest[0]) or (by_name.get(name) if equals and name.startswith("--") else None)
    if option is None:
        return False
    if option.title is None:
        if equals:
            return False
        options[option.key] = True
        del rest[0]
        return True
    if not equals:
        if len(rest) < 2:
            raise UsageError(f"Required values for option '{option.title}' not provided")
        value = rest.pop(1)
    del rest[0]
    if option.is_integer:
        _check_integer(option.title, value, "int")
    if option.is_repeated:
        before = options[option.key]
        assert isinstance(before, list), before
        options[option.key] = [*before, value]
    else:
        options[option.key] = value
    return True


def _check_integer(title: str, value: str, java_type: str) -> None:
    try:
        int(value)
    except ValueError:
        raise UsageError(f'{title}: can not convert "{value}" to a {java_type}') from None
