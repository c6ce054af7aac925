"""exp, log and log10 of decimals, to as many digits as the number has: thousands, if it must be.

The decimal module's own are one long computation in C (log of 10,000 digits: 2.5 s). Beyond DIRECT_DIGITS they are computed
here: integers in fixed point, products of some tenths of a millisecond with a pause between them, a tenth of the time.

    exp(x) = 10^n exp(r), r = x - n ln 10;  exp(r) = exp(r / 2^k) squared k times, by its series
    ln(x)  = n ln 10 + ln(f);  ln(f) by Halley's iteration, which triples the digits each time
    ln 10  = 46 artanh(1/31) + 34 artanh(1/49) + 20 artanh(1/161)

Results carry GUARD_BITS more than they need, then they are rounded half to even as the decimal module rounds.
"""

import math
from decimal import Context, Decimal

from protocol.types.big_integers import EXACT, int_to_decimal
from storage.environment.strands import long_work, pause

DIRECT_DIGITS = 300
GUARD_BITS = 96
_BITS_PER_DIGIT = math.log2(10)
_START_BITS = 48
"""Of a logarithm that a float gives."""


def exponential(number: Decimal, digits: int) -> Decimal:
    """e^number; infinite or zero where the exponent has more than 32 bits."""
    context = rounding_to(digits)
    if digits <= DIRECT_DIGITS or number.adjusted() > 10 or number.adjusted() < -digits // 2:
        return rounding_to(digits + GUARD_BITS).plus(number).exp(context)
    long_work()
    bits = _bits(digits) + 64
    fixed = _fixed(rounding_to(digits + GUARD_BITS).plus(number), bits)
    ten = _ln_10(bits)
    exponent = (2 * fixed + ten) // (2 * ten)
    return context.plus(EXACT.scaleb(_decimal(_exp(fixed - exponent * ten, bits), bits, digits), exponent))


def natural_logarithm(number: Decimal, digits: int) -> Decimal:
    """Of a positive number that is not 1."""
    context = rounding_to(digits)
    if digits <= DIRECT_DIGITS:
        return number.ln(context)
    long_work()
    exponent = number.adjusted()
    factor = EXACT.scaleb(number, -exponent)
    if factor > 3:
        exponent += 1
        factor = EXACT.scaleb(factor, -1)
    near_one = -EXACT.subtract(factor, Decimal(1)).adjusted() if not exponent else 0  # these digits cancel out
    bits = _bits(digits + max(near_one, 0)) + 64
    fixed = _fixed(rounding_to(digits + max(near_one, 0) + GUARD_BITS).plus(factor), bits)
    logarithm = _ln(fixed, bits)
    if exponent:
        logarithm += exponent * _ln_10(bits)
    return context.plus(_decimal(logarithm, bits, digits + max(near_one, 0)))


def decimal_logarithm(number: Decimal, digits: int) -> Decimal:
    """The quotient of two logarithms that have two digits more, as Cassandra's is: it comes out with all digits or, where it
    happens to be exact, without zeros."""
    wider = rounding_to(digits + 2)
    if number == 1:
        return rounding_to(digits).plus(wider.divide(Decimal(0), Decimal(10).ln(Context(prec=10))))
    ten = natural_logarithm(Decimal(10), digits + 2)
    return rounding_to(digits).plus(wider.divide(natural_logarithm(number, digits + 2), ten))


def rounding_to(digits: int) -> Context:
    return Context(prec=digits, Emax=EXACT.Emax, Emin=EXACT.Emin, traps=[])


def _bits(digits: int) -> int:
    return int(digits * _BITS_PER_DIGIT) + GUARD_BITS


def _fixed(number: Decimal, bits: int) -> int:
    """number * 2^bits."""
    sign, digits, exponent = number.as_tuple()
    assert isinstance(exponent, int)
    pause()
    unscaled = int.from_bytes(_big_endian(digits), "big")
    pause()
    scaled: int = (unscaled * 10**exponent) << bits if exponent >= 0 else (unscaled << bits) // 10**-exponent
    return -scaled if sign else scaled


def _big_endian(digits: tuple[int, ...]) -> bytes:
    from protocol.types.big_integers import text_int

    value = text_int("".join(map(str, digits)))
    return value.to_bytes((value.bit_length() + 7) // 8 or 1, "big")


def _decimal(fixed: int, bits: int, digits: int) -> Decimal:
    """fixed / 2^bits, with some more digits than asked for."""
    places = digits + GUARD_BITS // 4
    pause()
    scaled: int = fixed * 10**places >> bits
    pause()
    return EXACT.scaleb(int_to_decimal(scaled), -places)


def _exp(fixed: int, bits: int) -> int:
    """Of a small number: |fixed| is about 2^bits or less."""
    halvings = math.isqrt(bits)
    inner = bits + 2 * halvings
    part = fixed << (inner - bits) >> halvings
    total = term = 1 << inner
    count = 0
    while term:
        count += 1
        term = (term * part >> inner) // count
        total += term
        pause()
        if term == -1:  # what shifts leave of a negative number
            break
    for _ in range(halvings):
        total = total * total >> inner
        pause()
    return total >> (inner - bits)


def _ln(fixed: int, bits: int) -> int:
    """Of a number between a third and three."""
    top = fixed >> max(bits - 1000, 0)
    result, known = int(math.log(top / (1 << min(bits, 1000))) * (1 << _START_BITS)), _START_BITS
    known = min(known, bits)
    precision = _START_BITS
    while True:
        wanted = min(3 * precision - 8, bits)
        result = result << (wanted - known) if wanted > known else result >> (known - wanted)
        known = wanted
        power = _exp(result, wanted)
        number = fixed >> (bits - wanted)
        result += ((number - power) << (wanted + 1)) // (number + power)
        pause()
        if wanted == bits and precision * 3 - 8 >= bits:
            return result
        precision = wanted


def _ln_10(bits: int) -> int:
    inner = bits + 32
    total = 46 * _artanh_inverse(31, inner) + 34 * _artanh_inverse(49, inner) + 20 * _artanh_inverse(161, inner)
    return total >> 32


def _artanh_inverse(divisor: int, bits: int) -> int:
    """artanh(1 / divisor)."""
    power = (1 << bits) // divisor
    total, square, odd = power, divisor * divisor, 1
    while power:
        power //= square
        odd += 2
        total += power // odd
        pause()
    return total
