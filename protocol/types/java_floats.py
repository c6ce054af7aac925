"""The digits that Java prints for float and double, those of JDK 18 and before, on which Cassandra 5.0 runs.

They are usually, but not always, the shortest that read back as the same number: whole numbers beyond the precision keep
some digits more (9.9999998E10f for 1E11f), and 2.0E-3 has at least two digits in exponent form. So the algorithm is
followed as it is: big integers B/S for the value and M for half its precision, digit after digit until what is left is
below M (jdk.internal.math.FloatingDecimal).
"""

import math
import struct

_F32 = struct.Struct(">f")
_F64 = struct.Struct(">d")
_MANTISSA_BITS = 52
_LOG10_2 = 0.301029995663981

# Bits of 5**i, as far as the tables of FloatingDecimal go; its limit for the way over a long.
_BITS_OF_POWER_OF_5 = (
    0,
    3,
    5,
    7,
    10,
    12,
    14,
    17,
    19,
    21,
    24,
    26,
    28,
    31,
    33,
    35,
    38,
    40,
    42,
    45,
    47,
    49,
    52,
    54,
    56,
    59,
    61,
)
_SMALL_EXPONENT_MAX = 62
_SMALL_EXPONENT_MIN = -21


def double_text(value: float) -> str:
    """Double.toString."""
    if value - value != 0 or not value:
        return _special(value)
    bits = int.from_bytes(_F64.pack(abs(value)), "big")
    return ("-" if value < 0 else "") + _layout(*_unpacked(bits, _MANTISSA_BITS, 1023))


def float_text(value: float) -> str:
    """Float.toString of a float that is held in a double."""
    if value - value != 0 or not value:
        return _special(value)
    bits = int.from_bytes(_F32.pack(abs(value)), "big")
    return ("-" if value < 0 else "") + _layout(*_unpacked(bits, 23, 127))


def _special(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    sign = "-" if math.copysign(1, value) < 0 else ""
    return sign + ("0.0" if not value else "Infinity")


def _unpacked(bits: int, mantissa_bits: int, bias: int) -> tuple[list[int], int]:
    exponent, fraction = bits >> mantissa_bits, bits & ((1 << mantissa_bits) - 1)
    if exponent:
        fraction |= 1 << mantissa_bits
        significant = mantissa_bits + 1
    else:
        significant = fraction.bit_length()
        shift = mantissa_bits + 1 - significant
        fraction <<= shift
        exponent = 1 - shift
    return _digits(exponent - bias, fraction << (_MANTISSA_BITS - mantissa_bits), significant)


def _digits(exponent: int, fraction: int, significant: int) -> tuple[list[int], int]:
    """The decimal digits of fraction * 2**(exponent - 52), and where their point stands: 0.d1d2... * 10**point."""
    tail_zeros = (fraction & -fraction).bit_length() - 1
    fraction_bits = _MANTISSA_BITS + 1 - tail_zeros
    tiny_bits = max(0, fraction_bits - exponent - 1)
    if _SMALL_EXPONENT_MIN <= exponent <= _SMALL_EXPONENT_MAX and not tiny_bits and fraction_bits < 64:
        return _whole_digits(exponent, fraction, significant)
    mean = (fraction / (1 << _MANTISSA_BITS) - 1.5) * 0.289529654 + 0.176091259
    decimal_exponent = math.floor(mean + exponent * _LOG10_2)
    b5 = max(0, -decimal_exponent)
    s5 = max(0, decimal_exponent)
    b2 = b5 + tiny_bits + exponent
    s2 = s5 + tiny_bits
    m2 = b2 - significant
    b2 -= fraction_bits - 1
    common = min(b2, s2)
    b2, s2, m2 = b2 - common, s2 - common, m2 - common
    if fraction_bits == 1:
        m2 -= 1  # below a power of two the numbers lie closer
    if m2 < 0:
        b2, s2, m2 = b2 - m2, s2 - m2, 0
    value = ((fraction >> tail_zeros) * 5**b5) << b2
    unit = 5**s5 << s2
    half = 5**b5 << m2
    bits = max(fraction_bits + b2 + _bits_of_5(b5), s2 + 1 + _bits_of_5(s5 + 1))
    width = 32 if bits < 32 else 64 if bits < 64 else 0
    return _developed(value, unit, half, decimal_exponent, width)


def _bits_of_5(power: int) -> int:
    return _BITS_OF_POWER_OF_5[power] if power < len(_BITS_OF_POWER_OF_5) else power * 3


def _whole_digits(exponent: int, fraction: int, significant: int) -> tuple[list[int], int]:
    """Whole numbers: all digits but those that the precision can't tell, without zeros at the end."""
    shift = exponent - _MANTISSA_BITS
    number = fraction << shift if shift >= 0 else fraction >> -shift
    free_bits = exponent - significant - 1
    dropped = int(free_bits * math.log10(2)) if exponent > significant and free_bits > 1 else 0
    if dropped:
        power: int = 10**dropped
        number, rest = divmod(number, power)
        number += rest >= power >> 1
    text = str(number)
    return list(map(int, text.rstrip("0"))), len(text) + dropped


def _developed(value: int, unit: int, half: int, decimal_exponent: int, width: int) -> tuple[list[int], int]:
    """Digit by digit, in Java ints or longs of `width` bits, or in big integers (0)."""
    tens = unit * 10
    digits: list[int] = []
    digit, value = divmod(value, unit)
    value, half = value * 10, half * 10
    low, high = _stops(value, half, tens, width)
    if digit or high:
        digits.append(digit)
    else:
        decimal_exponent -= 1
    if decimal_exponent < -3 or decimal_exponent >= 8:
        low = high = False  # the form with an exponent has a digit behind the point at least
    while not low and not high:
        digit, value = divmod(value, unit)
        value, half = value * 10, half * 10
        low, high = _stops(value, half, tens, width)
        digits.append(digit)
    point = decimal_exponent + 1
    doubled = 2 * value
    if high and (not low or doubled > tens or (doubled == tens and digits[-1] & 1)):
        point += _round_up(digits)
    return digits, point


def _stops(value: int, half: int, tens: int, width: int) -> tuple[bool, bool]:
    """Whether the rest is as good as nothing, and whether it is as good as one more. Sums overflow as Java's do."""
    if not width:
        return value < half, value + half >= tens
    limit = 1 << (width - 1)
    if half >= limit:
        return True, True
    total = value + half
    return value < half, tens < total < limit


def _round_up(digits: list[int]) -> int:
    """Adds one to the last digit; 1 if a carry leaves at the front."""
    i = len(digits) - 1
    while digits[i] == 9 and i:
        digits[i] = 0
        i -= 1
    if digits[i] == 9:
        digits[i] = 1
        return 1
    digits[i] += 1
    return 0


def _layout(digits: list[int], point: int) -> str:
    text = "".join(map(str, digits))
    if 0 < point < 8:
        whole = text[:point].ljust(point, "0")
        return f"{whole}.{text[point:] or '0'}"
    if -3 < point <= 0:
        return f"0.{'0' * -point}{text}"
    return f"{text[0]}.{text[1:] or '0'}E{point - 1}"
