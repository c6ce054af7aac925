"""What the user chose: options of the command line, settings of the ini file, and the marker of a test."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

RESETS: Final = ("data", "all", "none")
STRICTS: Final = ("off", "warn", "fail")
HABITS: Final = (
    "allow-filtering", "full-scan", "multi-partition-batch", "unprepared", "large-in", "null-insert", "equal-timestamps"
)  # fmt: skip
"""What strict mode knows (cqlserver/query_log/habits.py, which the server alone imports)."""
_CQL: Final = re.compile(r"\s*(CREATE|ALTER|DROP|USE|INSERT|UPDATE|DELETE|BEGIN|TRUNCATE)\s", re.IGNORECASE)
_KEYS: Final = ("schema", "data", "settings", "reset", "allow")


def wrong(message: str) -> BaseException:
    """What to raise for what the user has to put right: shown without a traceback."""
    return pytest.fail.Exception(message, pytrace=False)


@dataclass(frozen=True, slots=True)
class Source:
    """A file or a folder, or a text of CQL."""

    path: Path | None
    text: str = ""

    @property
    def key(self) -> str:
        return self.text or str(self.path)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a test wants of its server."""

    settings: str
    """As JSON, in order of the names, so that equal ones are equal."""
    schema: tuple[Source, ...]
    data: tuple[Source, ...]
    reset: str
    allow: frozenset[str]

    @property
    def key(self) -> str:
        """Of the state that the test begins with: the name of its snapshot."""
        return "\0".join(["schema", *(source.key for source in self.schema), *self._data_keys])

    @property
    def _data_keys(self) -> list[str]:
        return ["data", *(source.key for source in self.data)] if self.data else []


@dataclass(frozen=True, slots=True)
class Options:
    """Of the whole run."""

    schema: tuple[Source, ...]
    data: tuple[Source, ...]
    settings: Mapping[str, object]
    reset: str
    keyspace: str
    real: str | None
    real_forbidden: str
    strict: str
    is_shared: bool

    @classmethod
    def of(cls, config: pytest.Config) -> "Options":
        def words(name: str) -> list[tuple[str, Path]]:
            """With the folder that paths are relative to."""
            given: list[str] | None = config.getoption(f"cassandra_{name}")
            if given:
                return [(text, config.invocation_params.dir) for text in given]
            folder = config.inipath.parent if config.inipath is not None else config.rootpath
            return [(text, folder) for text in config.getini(f"cassandra_{name}")]

        def word(name: str) -> str:
            return str(config.getoption(f"cassandra_{name}") or config.getini(f"cassandra_{name}"))

        return cls(
            tuple(_source(text, (folder,)) for text, folder in words("schema")),
            tuple(_source(text, (folder,)) for text, folder in words("data")),
            dict(_setting(text) for text, _ in words("settings")),
            _one_of("cassandra_reset", word("reset"), RESETS),
            _keyspace(word("keyspace")),
            word("real") or None,
            word("real_forbidden"),
            _one_of("cassandra_strict", word("strict"), STRICTS),
            bool(config.getoption("cassandra_shared") or config.getini("cassandra_shared")),
        )

    def wanted(self, item: pytest.Item | None = None) -> Wanted:
        """What a test wants: its nearest marker that says so, or what holds for all. Raises pytest's failure."""
        given: dict[str, object] = {}
        for marker in item.iter_markers("cassandra") if item is not None else ():
            unknown = sorted(set(marker.kwargs) - set(_KEYS))
            if unknown or marker.args:
                what = ", ".join(unknown) or "arguments without a name"
                raise wrong(f"@pytest.mark.cassandra takes no {what}; it takes {', '.join(_KEYS)}")
            given = {**marker.kwargs, **given}
        folders = (item.path.parent, item.config.rootpath) if item is not None else ()
        settings = given.get("settings")
        if settings is not None and not isinstance(settings, Mapping):
            raise wrong("@pytest.mark.cassandra(settings=...): give a dict of names and values of cassandra.yaml")
        return Wanted(
            json.dumps({**self.settings, **(settings or {})}, sort_keys=True),
            _sources(given["schema"], folders) if "schema" in given else self.schema,
            _sources(given["data"], folders) if "data" in given else self.data,
            _one_of("@pytest.mark.cassandra(reset=...)", str(given.get("reset", self.reset)), RESETS),
            frozenset(
                _one_of("@pytest.mark.cassandra(allow=...)", habit, HABITS) for habit in _texts(given.get("allow", ()))
            ),
        )


def _one_of(name: str, word: str, words: tuple[str, ...]) -> str:
    if word not in words:
        raise wrong(f"{name} is {word!r}, and none of {', '.join(words)}")
    return word


def _keyspace(name: str) -> str:
    """As CQL has a name that stands without quotes, which is how tests write it."""
    if not re.fullmatch(r"[A-Za-z]\w*", name, re.ASCII):
        raise wrong(f"cassandra_keyspace is {name!r}: a name has letters, digits and _ alone, and begins with a letter")
    return name.lower()


def _setting(text: str) -> tuple[str, object]:
    name, equals, value = text.partition("=")
    if not equals:
        raise wrong(f"cassandra_settings: {text!r} is not NAME=VALUE, like num_tokens=4")
    try:
        return name.strip(), json.loads(value)
    except ValueError:
        return name.strip(), value.strip()


def _texts(given: object) -> list[str]:
    return [given] if isinstance(given, str) else [str(one) for one in given]  # type: ignore[attr-defined]


def _sources(given: object, folders: tuple[Path, ...]) -> tuple[Source, ...]:
    if given is None:
        return ()
    ones = [given] if isinstance(given, str | Path) else list(given)  # type: ignore[call-overload]
    return tuple(_source(str(one), folders) for one in ones)


def _source(text: str, folders: tuple[Path, ...]) -> Source:
    if _CQL.match(text):
        return Source(None, text)
    for folder in folders:
        path = folder / text
        if path.exists():
            return Source(path)
    looked = " nor ".join(dict.fromkeys(str(folder / text) for folder in folders))
    raise wrong(f"the seed {text!r} does not exist: there is no {looked}")
