"""Random bodies of user-defined functions: typed Java expressions over arguments of all sorts, and statements around them.

Every type has a grammar of its own, so that nearly all bodies compile; some are spoilt on purpose. Nothing here loops for
long: the peer would stop its machine.
"""

from collections.abc import Callable, Mapping
from random import Random

ARGUMENTS: Mapping[str, str] = {
    "i": "int",
    "j": "int",
    "b": "bigint",
    "s": "smallint",
    "y": "tinyint",
    "d": "double",
    "f": "float",
    "x": "text",
    "q": "boolean",
    "v": "varint",
    "e": "decimal",
    "l": "list<int>",
    "z": "set<text>",
    "m": "map<text, int>",
}
RETURNS: Mapping[str, str] = {
    "int": "int",
    "long": "bigint",
    "double": "double",
    "float": "float",
    "boolean": "boolean",
    "String": "text",
    "BigInteger": "varint",
    "BigDecimal": "decimal",
    "List": "list<int>",
    "short": "smallint",
    "byte": "tinyint",
}
_VARIABLES: Mapping[str, str] = {
    "int": "ij", "long": "b", "short": "s", "byte": "y", "double": "d", "float": "f", "String": "x", "boolean": "q",
    "BigInteger": "v", "BigDecimal": "e", "List": "l", "Set": "z", "Map": "m",
}  # fmt: skip
_LITERALS: Mapping[str, list[str]] = {
    "int": ["0", "1", "-1", "2", "7", "31", "100", "-2147483648", "2147483647", "0x7f", "'a'", "1000003"],
    "long": ["0L", "1L", "-3L", "9223372036854775807L", "-9223372036854775808L", "4294967296L"],
    "short": ["(short) 1", "(short) -300", "(short) 70000"],
    "byte": ["(byte) 1", "(byte) -128", "(byte) 200"],
    "double": ["0.0", "1.0", "-2.5", "1e10", "1e-7", "3.14159", "1e300", "0.1"],
    "float": ["0f", "1.5f", "-0.1f", "3e38f", "1e-40f"],
    "String": ['""', '"a"', '"hello"', '"Hello, World"', '"  pad "', '"a,b,,c"', '"\\u00e9x"', '"123"'],
    "boolean": ["true", "false"],
    "char": ["'a'", "'Z'", "'0'", "' '", "'\\u00e9'"],
    "BigInteger": [
        "java.math.BigInteger.ONE",
        "java.math.BigInteger.TEN",
        'new java.math.BigInteger("-98765432109876543210")',
    ],
    "BigDecimal": ["java.math.BigDecimal.ONE", 'new java.math.BigDecimal("12.50")', 'new java.math.BigDecimal("-0.003")'],
    "List": ["new ArrayList<Integer>()", "Arrays.asList(3, 1, 2)"],
    "Set": ["new TreeSet<String>()", "new HashSet<String>(z)"],
    "Map": ["new HashMap<String, Integer>(m)", "new TreeMap<String, Integer>()"],
}
# One line a rule: the type that it gives, and its text; {type} stands for an expression of that type.
_RULES = """
int: ({int} + {int})|({int} - {int})|({int} * {int})|({int} / {int})|({int} % {int})|({int} << {int})|({int} >> {int})
int: ({int} >>> {int})|({int} & {int})|({int} | {int})|({int} ^ {int})|(~{int})|(-{int})|({boolean} ? {int} : {int})
int: {String}.length()|{String}.indexOf({String})|{String}.compareTo({String})|{String}.hashCode()|Math.abs({int})
int: Math.max({int}, {int})|Math.floorMod({int}, {int})|Math.floorDiv({int}, {int})|Integer.parseInt({String})
int: Integer.bitCount({int})|Integer.compare({int}, {int})|Long.compare({long}, {long})|Integer.signum({int})
int: (int) {double}|(int) {long}|(int) {float}|{List}.size()|{List}.get({int})|{List}.indexOf({int})|{Map}.get({String})
int: {BigDecimal}.scale()|{BigInteger}.bitLength()|{BigDecimal}.compareTo({BigDecimal})|Integer.highestOneBit({int})
int: Integer.reverse({int})|Integer.numberOfLeadingZeros({int})|{List}.hashCode()|Character.getNumericValue({char})
int: Integer.rotateLeft({int}, {int})|Math.addExact({int}, {int})|({char} + {int})|Double.compare({double}, {double})
int: {BigDecimal}.hashCode()|{BigInteger}.hashCode()|Boolean.hashCode({boolean})|Double.hashCode({double})|{Map}.size()
long: ({long} + {int})|({long} * {long})|({long} - {int})|({long} / {long})|({long} % {int})|({long} << {int})
long: ({long} >>> {int})|({long} >> {int})|({long} ^ {long})|(long) {double}|(long) {int}|Math.round({double})
long: {BigInteger}.longValue()|Long.parseLong({String})|Math.abs({long})|{BigDecimal}.longValue()|Long.reverse({long})
short: (short) {int}|(short) ({short} + {short})
byte: (byte) {int}|(byte) ({byte} ^ {int})
double: ({double} + {double})|({double} - {double})|({double} * {double})|({double} / {double})|({double} % {double})
double: Math.sqrt({double})|Math.floor({double})|Math.ceil({double})|Math.rint({double})|Math.abs({double})|(double) {int}
double: ({int} / {double})|({float} * {double})|Double.parseDouble({String})|{BigDecimal}.doubleValue()
double: Math.signum({double})
double: ({boolean} ? {int} : {double})|(double) {float}|(double) {long}|Math.max({double}, {double})|-{double}
double: Math.pow({int}, 2)
float: ({float} + {float})|({float} * {float})|({float} / {float})|(float) {double}|(float) {int}|(float) {long}
float: ({float} % {float})
boolean: {int} < {int}|{int} == {int}|{long} >= {int}|{double} < {double}|{double} != {float}|!{boolean}
boolean: ({boolean} && {boolean})
boolean: ({boolean} || {boolean})|({boolean} ^ {boolean})|{String}.equals({String})|{String}.startsWith({String})
boolean: {String}.contains({String})|{String}.isEmpty()|{List}.contains({int})|{Map}.containsKey({String})
boolean: {Set}.contains({String})
boolean: Character.isDigit({char})|Character.isLetter({char})|{BigInteger}.equals({BigInteger})
boolean: {BigDecimal}.equals({BigDecimal})
boolean: {List}.isEmpty()|{String}.equalsIgnoreCase({String})|Double.isNaN({double})|({char} == {int})
boolean: {List}.equals({List})
char: {String}.charAt({int})|(char) {int}|Character.toUpperCase({char})|Character.toLowerCase({char})|(char) ({char} + 1)
String: ({String} + {int})|({String} + {double})|({String} + {String})|({String} + {char})|({String} + {long} + {boolean})
String: ({String} + {float})|({int} + {String})|("" + {BigDecimal})|("" + {BigInteger})|("" + {List})|("" + {Map})
String: ("" + {Set})
String: {String}.substring({int})|{String}.substring({int}, {int})|{String}.toUpperCase()|{String}.trim()
String: {String}.replace({char}, {char})
String: {String}.replace({String}, {String})|String.valueOf({int})|String.valueOf({char})|String.valueOf({double})
String: Integer.toHexString({int})|Long.toString({long}, 36)|Integer.toBinaryString({int})
String: new StringBuilder({String}).reverse().toString()
String: String.format("%d|%5d|%-6s|%x", {int}, {long}, {String}, {int})|String.format("%.2f %e", {double}, {double})
String: String.join("-", {String}, {String})|Arrays.toString({String}.split(","))|({boolean} ? {String} : null)
String: {BigDecimal}.toPlainString()
String: new StringBuilder().append({int}).append({char}).append({String}).append({double}).toString()
String: Double.toString({double})
String: Float.toString({float})|{BigInteger}.toString(16)|String.format("%08.3f|%,d|%+d", {double}, {long}, {int})
String: {String}.toLowerCase()
BigInteger: {BigInteger}.add({BigInteger})|{BigInteger}.multiply({BigInteger})|{BigInteger}.subtract({BigInteger})
BigInteger: {BigInteger}.negate()
BigInteger: {BigInteger}.divide({BigInteger})|{BigInteger}.mod({BigInteger})|{BigInteger}.gcd({BigInteger})
BigInteger: {BigInteger}.remainder({BigInteger})
BigInteger: java.math.BigInteger.valueOf({long})|{BigInteger}.pow(3)|{BigInteger}.shiftLeft(5)
BigInteger: {BigInteger}.shiftRight(3)|{BigDecimal}.toBigInteger()
BigDecimal: {BigDecimal}.add({BigDecimal})|{BigDecimal}.multiply({BigDecimal})|{BigDecimal}.subtract({BigDecimal})
BigDecimal: {BigDecimal}.negate()
BigDecimal: {BigDecimal}.setScale(2, java.math.RoundingMode.HALF_UP)
BigDecimal: {BigDecimal}.divide({BigDecimal}, 5, java.math.RoundingMode.HALF_EVEN)
BigDecimal: java.math.BigDecimal.valueOf({double})|java.math.BigDecimal.valueOf({long}, 3)
BigDecimal: {BigDecimal}.stripTrailingZeros()|{BigDecimal}.abs()
BigDecimal: {BigDecimal}.divide({BigDecimal})|{BigDecimal}.remainder({BigDecimal})|{BigDecimal}.movePointLeft(2)
BigDecimal: new java.math.BigDecimal({int})
BigDecimal: {BigDecimal}.divide({BigDecimal}, java.math.MathContext.DECIMAL32)
BigDecimal: {BigDecimal}.round(new java.math.MathContext(3))|{BigDecimal}.pow(2)
List: Arrays.asList({int}, {int})|{List}.subList(0, {int})|new ArrayList<Integer>({List})|Collections.singletonList({int})
"""
_STATEMENTS = """
int n = {int}; n {assign} {int}; return {cast}n;
int n = 0; for (int k = 0; k < 5; k++) { if (k == ({int} & 3)) continue; n += k * {int}; } return {cast}n;
int n = 0; for (int k : {List}) n = n * 31 + k; return {cast}n;
int n = {int}; n++; --n; n = n++ + ++n; return {cast}n;
long n = {long}; n {assign} {int}; n {assign} {double}; return {cast}n;
try { return {cast}({int}); } catch (RuntimeException t) { String w = t.getMessage(); return {cast}(w == null ? 1 : 2); }
switch ({int} & 3) { case 0: return {cast}1; case 1: case 2: return {cast}({int}); default: return {cast}3; }
if ({boolean}) return {cast}({int}); else if ({boolean}) return {cast}({int}); return {cast}0;
int[] a = { {int}, {int}, {int} }; Arrays.sort(a); a[1] += a[0]; return {cast}(a[1] ^ a[2]);
byte n = (byte) {int}; n += {int}; n >>= 1; short w = n; w *= 3; char c = (char) w; c++; return {cast}c;
"""
_ASSIGN = ["+=", "-=", "*=", "/=", "%=", "<<=", ">>=", "&=", "|=", "^="]


def _rules() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in _RULES.strip().splitlines():
        type_, _, texts = line.partition(": ")
        found.setdefault(type_, []).extend(_split(texts))
    return found


def _split(texts: str) -> list[str]:
    """At the bars outside of quotes and parentheses."""
    parts, depth, quoted, start = [], 0, False, 0
    for at, char in enumerate(texts):
        quoted ^= char == '"'
        depth += 0 if quoted else (char in "({") - (char in ")}")
        if char == "|" and not depth and not quoted:
            parts.append(texts[start:at])
            start = at + 1
    return [*parts, texts[start:]]


class Bodies:
    """Each body with the type that it returns and whether arguments are primitives."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._rules = _rules()
        self._statements = _STATEMENTS.strip().splitlines()

    def body(self) -> tuple[str, str]:
        """(the CQL type that it returns, the body)"""
        rng = self._rng
        if rng.random() < 0.25:
            return self._with_statements()
        type_ = rng.choice(list(RETURNS))
        text = self._expression(type_, rng.choice([1, 2, 2, 3, 4]))
        if rng.random() < 0.04:
            text = self._spoilt(text)
        return RETURNS[type_], f"return {text};"

    def _with_statements(self) -> tuple[str, str]:
        rng = self._rng
        text = rng.choice(self._statements)
        returns, cast = rng.choice([("int", "(int) "), ("text", '"" + '), ("bigint", "(long) "), ("int", "")])
        return returns, self._filled(text.replace("{cast}", cast), 2)

    def _spoilt(self, text: str) -> str:
        rng = self._rng
        kinds: list[Callable[[], str]] = [
            lambda: f"{text} + nope",
            lambda: f"({text}).nope()",
            lambda: f"{text} && {text}",
            lambda: f"-{self._expression('String', 1)}",
            lambda: f"(String) {self._expression('int', 1)}",
            lambda: self._expression(rng.choice(list(RETURNS)), 1),
            lambda: f"{self._expression('String', 1)}.charAt({self._expression('String', 1)})",
        ]
        return rng.choice(kinds)()

    def _expression(self, type_: str, depth: int) -> str:
        rng = self._rng
        if depth <= 0 or type_ not in self._rules:
            variables = _VARIABLES.get(type_, "")
            if variables and rng.random() < 0.6:
                return rng.choice(variables)
            return rng.choice(_LITERALS[type_])
        return self._filled(rng.choice(self._rules[type_]), depth - 1)

    def _filled(self, text: str, depth: int) -> str:
        rng = self._rng
        if "{assign}" in text:
            text = text.replace("{assign}", rng.choice(_ASSIGN))
        for type_ in (*_LITERALS, "char"):
            while f"{{{type_}}}" in text:
                inner = self._expression(type_, depth - rng.choice([0, 0, 1]))
                if type_ not in ("int", "boolean") or " " in inner or inner.startswith("-"):
                    inner = f"({inner})" if not inner.isalnum() else inner
                text = text.replace(f"{{{type_}}}", inner, 1)
        return text
