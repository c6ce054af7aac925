"""java.lang: Object, String, StringBuilder and what stands around them."""

import re
from collections.abc import Iterable
from typing import Any

from cqlserver.java.classes import ClassSource
from cqlserver.java.containers import JavaList, iterate
from cqlserver.java.errors import thrown
from cqlserver.java.library.formatting import formatted
from cqlserver.java.run import Run
from cqlserver.java.values import (
    JavaObject,
    class_name,
    compare_strings,
    equals,
    hash_code,
    to_string,
)
from protocol.types.java_floats import double_text, float_text


class StringBuilder(JavaObject):
    """Text in pieces; `run` counts what it grows by."""

    __slots__ = ("_run", "_text")
    java_class = "java.lang.StringBuilder"

    def __init__(self, run: Run, text: str = "") -> None:
        self._run, self._text = run, text

    def to_string(self) -> str:
        return self._text

    @property
    def text(self) -> str:
        return self._text

    @text.setter
    def text(self, text: str) -> None:
        self._run.take(len(text) >> 6)
        self._text = text

    def append(self, text: str) -> "StringBuilder":
        self._text += text
        if len(self._text) > 2_000:
            self._run.take(len(text))
            if len(self._text) > 8 << 20:
                self._run.take(len(self._text))
        return self


class Class(JavaObject):
    __slots__ = ("name",)
    java_class = "java.lang.Class"

    def __init__(self, name: str) -> None:
        self.name = name

    def to_string(self) -> str:
        return f"class {self.name}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Class) and self.name == other.name

    def __hash__(self) -> int:
        return hash(self.name)


def _out_of_range(begin: int, end: int, length: int) -> Exception:
    return thrown("StringIndexOutOfBoundsException", f"begin {begin}, end {end}, length {length}")


LATIN_1_END = 256


def char_at(text: str, index: int) -> int:
    if not 0 <= index < len(text) and (not text or ord(max(text)) < LATIN_1_END):
        raise thrown("StringIndexOutOfBoundsException", f"String index out of range: {index}")
    return _checked_char_at(text, index)


def _checked_char_at(text: str, index: int) -> int:
    """Of what Java holds as UTF-16, and of builders: in other words."""
    if not 0 <= index < len(text):
        raise thrown("StringIndexOutOfBoundsException", f"index {index}, length {len(text)}")
    return ord(text[index])


def _sequence_char(value: str | StringBuilder, index: int) -> int:
    return char_at(value, index) if isinstance(value, str) else _builder_char(value, index)


def substring(text: str, begin: int, end: int | None = None) -> str:
    stop = len(text) if end is None else end
    if begin < 0 or begin > stop or stop > len(text):
        raise _out_of_range(begin, stop, len(text))
    return text[begin:stop]


def _replace(run: Run, text: str, old: Any, new: Any) -> str:
    wanted, given = to_string(_required(old)), to_string(_required(new))
    run.take(len(text) + text.count(wanted) * max(len(given) - len(wanted), 0))
    return text.replace(wanted, given)


def _concat(run: Run, text: str, other: str) -> str:
    run.take(len(text) + len(_required(other)))
    return text + other


def _repeat(run: Run, text: str, count: int) -> str:
    if count < 0:
        raise thrown("IllegalArgumentException", f"count is negative: {count}")
    run.take(len(text) * count)
    return text * count


def _index_of(text: str, wanted: Any, start: int = 0) -> int:
    return text.find(chr(wanted) if isinstance(wanted, int) else wanted, max(start, 0))


def _last_index_of(text: str, wanted: Any, start: int | None = None) -> int:
    word = chr(wanted) if isinstance(wanted, int) else wanted
    return text.rfind(word) if start is None else text.rfind(word, 0, start + len(word)) if start >= 0 else -1


_SPACE = "".join(map(chr, range(33)))


def _pattern(text: str) -> "re.Pattern[str]":
    """Regular expressions of one plain character or word: others could take forever, and can't be stopped."""
    if len(text) == 2 and text[0] == "\\" and not text[1].isalnum():
        return re.compile(re.escape(text[1]))
    if text in ("\\s+", "\\s*", "\\s", "\\d+", "\\d", "\\D", "\\D+", "\\w", "\\w+", "\\W", "\\W+"):
        return re.compile(text, re.ASCII)
    match = re.fullmatch(r"(\[\^?[^\[\]\\&]*\]|[^\\.$|()\[\]{}^?*+]+)([+*]?)", text)
    if match is None:
        raise thrown("UnsupportedOperationException", f"regular expression is not supported by this server: {text}")
    return re.compile(text, re.ASCII)


def _split(text: str, pattern: str, limit: int = 0) -> list[str]:
    if not text:
        return [""]
    found: list[str] = []
    at = 0
    for match in _pattern(pattern).finditer(text):
        if limit > 0 and len(found) == limit - 1:
            break
        if match.end() == 0 or (match.start() == match.end() and match.end() == len(text)):
            continue
        found.append(text[at : match.start()])
        at = match.end()
    if not found and at == 0:
        return [text]
    found.append(text[at:])
    if limit == 0:
        while found and not found[-1]:
            found.pop()
    return found


def _replacement(text: str) -> str:
    if "$" in text or "\\" in text:
        raise thrown("UnsupportedOperationException", "groups in replacements are not supported by this server")
    return text


def _replace_all(run: Run, text: str, pattern: str, new: str, count: int = 0) -> str:
    run.take(len(text) * (1 + len(new)))
    return _pattern(pattern).sub(lambda match: _replacement(new), text, count)


def _joined(run: Run, separator: Any, parts: Iterable[Any]) -> str:
    texts = [to_string(part) for part in parts]
    run.take(sum(map(len, texts)) + len(texts) * 8)
    return to_string(separator).join(texts)


def _upper(text: str) -> str:
    return text.upper()


def _equals_ignoring_case(text: str, other: str | None) -> bool:
    return other is not None and len(text) == len(other) and text.lower() == other.lower()


def _string_of(value: Any) -> str:
    return to_string(value)


def _required(text: Any) -> Any:
    if text is None:
        raise thrown("NullPointerException")
    return text


def _chars(text: str) -> list[int]:
    return list(map(ord, text))


def _text_of_chars(chars: list[int], start: int = 0, count: int | None = None) -> str:
    return "".join(map(chr, chars[start : None if count is None else start + count]))


def _strip(text: str) -> str:
    return text.strip()


_STRING: dict[str, Any] = {
    "new()": lambda: "",
    "new(String)": lambda text: "".join(_required(text)),
    "new(char[])": _text_of_chars,
    "new(char[],int,int)": _text_of_chars,
    "new(StringBuilder)": lambda builder: builder.text,
    "int length()": len,
    "boolean isEmpty()": lambda text: not text,
    "boolean isBlank()": lambda text: not text.strip(),
    "char charAt(int)": char_at,
    "int codePointAt(int)": _checked_char_at,
    "String substring(int)": substring,
    "String substring(int,int)": substring,
    "CharSequence subSequence(int,int)": substring,
    "int indexOf(int)": _index_of,
    "int indexOf(int,int)": _index_of,
    "int indexOf(String)": _index_of,
    "int indexOf(String,int)": _index_of,
    "int lastIndexOf(int)": _last_index_of,
    "int lastIndexOf(int,int)": _last_index_of,
    "int lastIndexOf(String)": _last_index_of,
    "int lastIndexOf(String,int)": _last_index_of,
    "boolean contains(CharSequence)": lambda text, part: to_string(_required(part)) in text,
    "boolean startsWith(String)": lambda text, part: text.startswith(_required(part)),
    "boolean startsWith(String,int)": lambda text, part, at: 0 <= at <= len(text) and text.startswith(part, at),
    "boolean endsWith(String)": lambda text, part: text.endswith(_required(part)),
    "boolean equalsIgnoreCase(String)": _equals_ignoring_case,
    "boolean contentEquals(CharSequence)": lambda text, other: text == to_string(other),
    "int compareTo(String)": lambda text, other: compare_strings(text, _required(other)),
    "int compareToIgnoreCase(String)": lambda text, other: compare_strings(text.lower(), _required(other).lower()),
    "String concat(String)": _concat,
    "String toUpperCase()": _upper,
    "String toLowerCase()": str.lower,
    "String trim()": lambda text: text.strip(_SPACE),
    "String strip()": _strip,
    "String stripLeading()": str.lstrip,
    "String stripTrailing()": str.rstrip,
    "String intern()": lambda text: text,
    "String replace(char,char)": lambda run, text, old, new: text.replace(chr(old), chr(new)),
    "String replace(CharSequence,CharSequence)": _replace,
    "String replaceAll(String,String)": _replace_all,
    "String replaceFirst(String,String)": lambda run, text, pattern, new: _replace_all(run, text, pattern, new, 1),
    "boolean matches(String)": lambda text, pattern: _pattern(pattern).fullmatch(text) is not None,
    "String[] split(String)": _split,
    "String[] split(String,int)": _split,
    "char[] toCharArray()": _chars,
    "String repeat(int)": _repeat,
    "static String join(CharSequence,CharSequence...)": _joined,
    "static String join(CharSequence,Iterable<? extends CharSequence>)": lambda run, separator, parts: _joined(
        run, separator, iterate(parts)
    ),
    "static String format(String,Object...)": formatted,
    "static String valueOf(Object)": _string_of,
    "static String valueOf(char[])": _text_of_chars,
    "static String valueOf(boolean)": _string_of,
    "static String valueOf(char)": chr,
    "static String valueOf(int)": int.__repr__,
    "static String valueOf(long)": int.__repr__,
    "static String valueOf(float)": float_text,
    "static String valueOf(double)": double_text,
    "static String copyValueOf(char[])": _text_of_chars,
}


def _appended(builder: StringBuilder, value: Any) -> StringBuilder:
    return builder.append(to_string(value))


def _insert(builder: StringBuilder, at: int, text: str) -> StringBuilder:
    if not 0 <= at <= len(builder.text):
        raise thrown("StringIndexOutOfBoundsException", f"offset {at}, length {len(builder.text)}")
    builder.text = builder.text[:at] + text + builder.text[at:]
    return builder


def _set_length(builder: StringBuilder, length: int) -> None:
    if length < 0:
        raise thrown("StringIndexOutOfBoundsException", f"String index out of range: {length}")
    builder.text = builder.text[:length].ljust(length, "\0")


def _delete(builder: StringBuilder, start: int, end: int) -> StringBuilder:
    stop = min(end, len(builder.text))
    if start < 0 or start > stop:
        raise thrown("StringIndexOutOfBoundsException", f"start {start}, end {stop}, length {len(builder.text)}")
    builder.text = builder.text[:start] + builder.text[stop:]
    return builder


def _delete_at(builder: StringBuilder, at: int) -> StringBuilder:
    if not 0 <= at < len(builder.text):
        raise thrown("StringIndexOutOfBoundsException", f"index {at}, length {len(builder.text)}")
    builder.text = builder.text[:at] + builder.text[at + 1 :]
    return builder


def _builder_char(builder: StringBuilder, at: int) -> int:
    if not 0 <= at < len(builder.text):
        raise thrown("StringIndexOutOfBoundsException", f"index {at}, length {len(builder.text)}")
    return ord(builder.text[at])


def _set_char(builder: StringBuilder, at: int, char: int) -> None:
    _builder_char(builder, at)
    builder.text = builder.text[:at] + chr(char) + builder.text[at + 1 :]


def _reverse(builder: StringBuilder) -> StringBuilder:
    turned = builder.text[::-1]
    builder.text = re.sub("([\udc00-\udfff])([\ud800-\udbff])", r"\2\1", turned)
    return builder


def _builder_substring(builder: StringBuilder, begin: int, end: int | None = None) -> str:
    stop = len(builder.text) if end is None else end
    if begin < 0 or begin > stop or stop > len(builder.text):
        raise thrown("StringIndexOutOfBoundsException", f"start {begin}, end {stop}, length {len(builder.text)}")
    return builder.text[begin:stop]


def _builder(name: str) -> ClassSource:
    members: dict[str, Any] = {
        "new()": StringBuilder,
        "new(int)": lambda run, size: StringBuilder(run),
        "new(String)": lambda run, text: StringBuilder(run, _required(text)),
        "new(CharSequence)": lambda run, text: StringBuilder(run, to_string(_required(text))),
        f"{name} append(Object)": _appended,
        f"{name} append(String)": _appended,
        f"{name} append(CharSequence)": _appended,
        f"{name} append(char[])": lambda builder, chars: builder.append(_text_of_chars(chars)),
        f"{name} append(boolean)": _appended,
        f"{name} append(char)": lambda builder, char: builder.append(chr(char)),
        f"{name} append(int)": lambda builder, value: builder.append(int.__repr__(value)),
        f"{name} append(long)": lambda builder, value: builder.append(int.__repr__(value)),
        f"{name} append(float)": lambda builder, value: builder.append(float_text(value)),
        f"{name} append(double)": lambda builder, value: builder.append(double_text(value)),
        f"{name} append(CharSequence,int,int)": lambda builder, text, start, end: builder.append(to_string(text)[start:end]),
        f"{name} insert(int,Object)": lambda builder, at, value: _insert(builder, at, to_string(value)),
        f"{name} insert(int,String)": lambda builder, at, value: _insert(builder, at, to_string(value)),
        f"{name} insert(int,char)": lambda builder, at, value: _insert(builder, at, chr(value)),
        f"{name} insert(int,int)": lambda builder, at, value: _insert(builder, at, to_string(value)),
        f"{name} insert(int,long)": lambda builder, at, value: _insert(builder, at, to_string(value)),
        f"{name} insert(int,double)": lambda builder, at, value: _insert(builder, at, to_string(value)),
        f"{name} insert(int,boolean)": lambda builder, at, value: _insert(builder, at, to_string(value)),
        f"{name} delete(int,int)": _delete,
        f"{name} deleteCharAt(int)": _delete_at,
        f"{name} reverse()": _reverse,
        "int length()": lambda builder: len(builder.text),
        "int capacity()": lambda builder: len(builder.text) + 16,
        "char charAt(int)": _builder_char,
        "void setCharAt(int,char)": _set_char,
        "void setLength(int)": _set_length,
        "int indexOf(String)": lambda builder, part: builder.text.find(part),
        "int indexOf(String,int)": lambda builder, part, start: builder.text.find(part, max(start, 0)),
        "int lastIndexOf(String)": lambda builder, part: builder.text.rfind(part),
        "String substring(int)": _builder_substring,
        "String substring(int,int)": _builder_substring,
        "String toString()": lambda builder: builder.text,
        f"int compareTo({name})": lambda builder, other: compare_strings(builder.text, other.text),
    }
    return ClassSource(
        f"java.lang.{name} : CharSequence, Comparable<{name}>",
        members,
        lambda value: isinstance(value, StringBuilder),
        needs_run=frozenset(("new",)),
    )


def _is_iterable(value: Any) -> bool:
    return isinstance(value, JavaList) or hasattr(value, "ordered")


def sources() -> list[ClassSource]:
    return [
        ClassSource(
            "java.lang.Object",
            {
                "new()": JavaObject,
                "boolean equals(Object)": equals,
                "int hashCode()": hash_code,
                "String toString()": to_string,
                "Class getClass()": lambda value: Class(class_name(value)),
            },
            lambda value: True,
        ),
        ClassSource(
            "java.lang.Class<T>",
            {
                "String getName()": lambda value: value.name,
                "String getSimpleName()": lambda value: value.name.rpartition(".")[2].rpartition("$")[2],
            },
            lambda value: isinstance(value, Class),
            is_abstract=True,
        ),
        ClassSource(
            "java.lang.CharSequence",
            {
                "int length()": lambda value: len(to_string(value)),
                "char charAt(int)": _sequence_char,
                "CharSequence subSequence(int,int)": lambda value, a, b: substring(to_string(value), a, b),
            },
            lambda value: isinstance(value, str | StringBuilder),
            is_abstract=True,
        ),
        ClassSource(
            "java.lang.String : CharSequence, Comparable<String>",
            _STRING,
            lambda value: isinstance(value, str),
            needs_run=frozenset(("repeat", "replace", "concat", "join", "format", "replaceAll", "replaceFirst")),
            hides={"chars": "java.util.stream.IntStream", "lines": "java.util.stream.Stream"},
        ),
        _builder("StringBuilder"),
        _builder("StringBuffer"),
        ClassSource(
            "java.lang.Comparable<T>",
            {"int compareTo(T)": _compare},
            lambda value: (
                isinstance(value, str | int | float) or hasattr(value, "compare_to") or _is_other_comparable(value)
            ),
            is_abstract=True,
        ),
        ClassSource(
            "java.lang.Iterable<T>",
            {"Iterator<T> iterator()": _iterator},
            _is_iterable,
            is_abstract=True,
            hides={"forEach": "java.util.function.Consumer"},
        ),
        ClassSource(
            "java.lang.System",
            {
                "static void arraycopy(Object,int,Object,int,int)": _copy_array,
                "static int identityHashCode(Object)": hash_code,
                "static String lineSeparator()": lambda: "\n",
                "static long currentTimeMillis()": lambda run: run.now_ms(),
                "static long nanoTime()": lambda run: run.now_ms() * 1_000_000,
            },
            is_abstract=True,
            needs_run=frozenset(("currentTimeMillis", "nanoTime")),
        ),
        ClassSource("java.lang.Void", {}, lambda value: False, is_abstract=True),
    ]


def _is_other_comparable(value: Any) -> bool:
    from decimal import Decimal
    from uuid import UUID

    return isinstance(value, Decimal | UUID)


def _compare(one: Any, other: Any) -> int:
    from cqlserver.java.values import compare

    return compare(one, other)


def _iterator(items: Any) -> Any:
    from cqlserver.java.containers import JavaIterator

    return JavaIterator(items)


def _copy_array(source: Any, at: int, target: Any, to: int, count: int) -> None:
    _required(source)
    _required(target)
    if at < 0 or to < 0 or count < 0 or at + count > len(source) or to + count > len(target):
        last, size = (at + count, len(source)) if at + count > len(source) else (to + count, len(target))
        what = "last source index" if at + count > len(source) else "last destination index"
        raise thrown("ArrayIndexOutOfBoundsException", f"arraycopy: {what} {last} out of bounds for length {size}")
    target[to : to + count] = source[at : at + count]
