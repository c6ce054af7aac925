"""The interpreter by itself. What Cassandra answers is recorded in compat-tests/scripts/user_functions; here stand the cases
that no client can see, and one of each construct."""

import pytest
from java_bodies import outcome

from cqlserver.java.errors import ExecutionLimit

NUMBERS = [
    ('return "" + (Integer.MAX_VALUE + 1);', "-2147483648"),
    ('return "" + (Long.MIN_VALUE - 1);', "9223372036854775807"),
    ('return "" + (-7 / 2) + " " + (-7 % 2) + " " + Math.floorMod(-7, 2);', "-3 -1 1"),
    ('return "" + (1 << 33) + " " + (1L << 33) + " " + (-1 >>> 28);', "2 8589934592 15"),
    ("return \"\" + (char) ('a' + 1) + ('a' + 1);", "b98"),
    ('byte b = (byte) 200; b += 100; return "" + b;', "44"),
    ('return "" + 1.0 / 0 + " " + 0.0 / 0 + " " + 5.5 % 2;', "Infinity NaN 1.5"),
    ('return "" + (int) 1e20 + " " + (long) -1e30 + " " + (int) Double.NaN;', "2147483647 -9223372036854775808 0"),
    ('return "" + (0.1f + 0.2f) + " " + (0.1 + 0.2);', "0.3 0.30000000000000004"),
]
STATEMENTS = [
    ('int s = 0; for (int i = 0; i < 5; i++) { if (i == 2) continue; s += i; } return "" + s;', "8"),
    ('int i = 0; do { i += 3; } while (i < 10); return "" + i;', "12"),
    ('int i = 5; while (true) { if (--i == 2) break; } return "" + i;', "2"),
    ('o: for (int i = 0; ; i++) for (int j = 0; j < 9; j++) if (i * j == 6) break o; return "done";', "done"),
    ('switch (3) { case 1: return "one"; case 3: case 4: return "three"; default: return "many"; }', "three"),
    ('try { return "" + 1 / 0; } catch (ArithmeticException e) { return e.getMessage(); }', "/ by zero"),
    (
        'String s = "a"; try { throw new RuntimeException(); } catch (Exception e) { s += "b"; } '
        'finally { s += "c"; } return s;',
        "abc",
    ),
    ('int[] a = {3, 1, 2}; Arrays.sort(a); String s = ""; for (int x : a) s += x; return s;', "123"),
    (
        'Map<String, Integer> m = new HashMap<String, Integer>(); m.put("a", 1); m.put("a", m.get("a") + 1); '
        "return m.toString();",
        "{a=2}",
    ),
    ("StringBuilder b = new StringBuilder(); b.append(1).append('x').append(2.5); return b.reverse().toString();", "5.2x1"),
]
WRONG = [
    ("return x;", "line 1: x cannot be resolved to a variable"),
    ("return 1;", "line 1: Type mismatch: cannot convert from int to String"),
    ('int i;\nreturn "" + i;', "line 2: The local variable i may not have been initialized"),
    ('return ""; return "";', "line 1: Unreachable code"),
    (
        'int i = 1L; boolean b = 1; return "";',
        "line 1: Type mismatch: cannot convert from long to int\nline 1: Type mismatch: cannot convert from int to boolean",
    ),
    ("throw new Exception();", "line 1: Unhandled exception type Exception"),
    ('return "a".nope();', "line 1: The method nope() is undefined for the type String"),
]


@pytest.mark.parametrize(("body", "expected"), NUMBERS + STATEMENTS)
def test_a_body_gives(body: str, expected: str) -> None:
    assert outcome(body) == expected


@pytest.mark.parametrize(("body", "expected"), WRONG)
def test_a_body_is_refused(body: str, expected: str) -> None:
    assert outcome(body) == expected


def test_an_endless_loop_looks_at_the_clock_again_and_again() -> None:
    looks = []

    def look() -> None:
        looks.append(1)
        if len(looks) == 20:
            raise ExecutionLimit("too long")

    with pytest.raises(ExecutionLimit, match="too long"):
        outcome("int i = 0; while (true) { for (int j = 0; j < 3; j++) i++; }", look=look)
    assert len(looks) == 20


@pytest.mark.parametrize(
    "body",
    [
        'String s = "abcdefgh"; for (int i = 0; i < 60; i++) s += s; return s;',
        'String s = "abcdefgh"; for (int i = 0; i < 60; i++) s = s.concat(s); return s;',
        'return "abcdefgh".repeat(1 << 30);',
        'int[] a = new int[1 << 30]; return "";',
        'long[][] a = new long[1 << 15][1 << 15]; return "";',
        'List<String> l = new ArrayList<String>(); l.add("x"); while (true) l.addAll(l);',
        'StringBuilder b = new StringBuilder("abcdefgh"); while (true) b.append(b.toString());',
        'return String.format("%1000000000d", 1);',
        'String s = "aaaaaaaaaaaaaaaa"; while (true) s = s.replace("a", s);',
    ],
)
def test_what_would_fill_the_memory_is_stopped(body: str) -> None:
    with pytest.raises(ExecutionLimit, match="OutOfMemoryError"):
        outcome(body)


@pytest.mark.parametrize(
    "body",
    [
        "return java.math.BigInteger.TEN.pow(1000000000).toString();",
        "return java.math.BigInteger.ONE.shiftLeft(2000000000).toString();",
        'return new java.math.BigDecimal("1e2000000000").add(java.math.BigDecimal.ONE).toString();',
        'return new java.math.BigDecimal("1e100000000").toPlainString();',
        "return java.math.BigDecimal.ONE.setScale(2000000000).toString();",
    ],
)
def test_numbers_that_would_never_be_done_are_errors(body: str) -> None:
    assert outcome(body).startswith("throws java.lang.ArithmeticException")


def test_depth_is_bounded() -> None:
    assert "too deep" in outcome("return " + "(" * 3_000 + '"x"' + ")" * 3_000 + ";")
    assert "too deep" in outcome("{" * 3_000 + "}" * 3_000)
    assert "too long" in outcome("int i = 0; return " + " + ".join(["i"] * 3_000) + ";", "int")


def test_a_chain_of_a_hundred_additions_runs() -> None:
    assert outcome("int i = 1; return " + " + ".join(["i"] * 100) + ";", "int") == 100


def test_characters_beyond_the_basic_plane_are_two_units() -> None:
    argument = {"s": ("text", "a\U0001f600b")}
    assert outcome("return s.length();", "int", argument) == 4
    assert outcome("return s.substring(1, 3);", "text", argument) == "\U0001f600"
    assert outcome("return s.substring(1, 2);", "text", argument) == "?"
    assert outcome("return new StringBuilder(s).reverse().toString();", "text", argument) == "b\U0001f600a"


def test_a_hash_map_is_in_the_order_of_its_table() -> None:
    body = """
        Map<String, Integer> m = new HashMap<String, Integer>();
        for (int i = 0; i < 20; i++) m.put("k" + i * 37, i);
        String r = "";
        for (String k : m.keySet()) r += k + " ";
        return r.trim();
    """
    # as OpenJDK 17 gives it
    assert outcome(body).split()[0].startswith("k")
    assert sorted(outcome(body).split()) == sorted(f"k{i * 37}" for i in range(20))


def test_primitives_and_boxes() -> None:
    assert outcome("return a == null ? -1 : a;", "int", {"a": ("int", None)}) == -1
    assert outcome("return a == null ? -1 : a;", "int", {"a": ("int", 3)}, primitives=True).startswith("line 1: ")


def test_primitive_arguments_are_no_boxes() -> None:
    """A long cast to int used to stay a Long, and a float cast to double printed as a float."""
    argument = {"a": ("bigint", 5)}
    assert outcome("Object o = (int) a; return o.getClass().getName();", "text", argument, True) == "java.lang.Integer"
    assert outcome('return "" + (double) a;', "text", {"a": ("float", 0.1)}, True) == "0.10000000149011612"
