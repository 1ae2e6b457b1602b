"""Numbers as people write them about training runs: "7B", "1.4T", "6e21", "1,000,000".

A parser of our own, because to a units library "7B" is seven bytes, "4T" four tesla and "350M" 350 molar.
"""

from __future__ import annotations

import math
import re
from decimal import Decimal
from numbers import Real

import numpy as np

from bayesscale.errors import NumberError

__all__ = ["format_number", "parse_number", "parse_numbers", "read_number", "scale_factor"]

POWERS = {"": 0, "K": 3, "k": 3, "M": 6, "B": 9, "G": 9, "T": 12, "P": 15, "E": 18}
SUFFIX_OF_POWER = {3: "K", 6: "M", 9: "B", 12: "T"}

# A comma is a thousands separator only before exactly three digits: "1,5" is no 15.
NUMBER = re.compile(
    r"(?P<digits>[+-]?(?:(?:\d{1,3}(?:,\d{3})+|\d{1,3}(?:_\d{3})+|\d+)(?:\.\d*)?|\.\d+))"
    r"(?:[eE](?P<exponent>[+-]?\d+))?"
    r"\s*(?P<suffix>[A-Za-z]*)",
    re.ASCII,
)

REMEDY = "write 7B, 7e9 or 7000000000"
AMBIGUOUS = {
    "b": '"b" could be bits, bytes or billions: write B for 1e9',
    "m": '"m" could be milli or million: write M for 1e6',
}

WORDS = {
    "thousands": 1e3,
    "millions": 1e6,
    "billions": 1e9,
    "trillions": 1e12,
    "pf-days": 8.64e19,  # 1e15 FLOP/s for 86,400 s
    "percent": 1e-2,
    "nats": 1.0,
    "bits": math.log(2.0),
}
UNITS_UNDERSTOOD = (
    '"thousands", "millions", "billions", "trillions" (or K, M, B, T), "PF-days", "bits" or "nats" (per token), '
    '"percent" and positive factors are understood'
)


def read_number(value) -> tuple[float, str]:
    """Read one cell: ``(number, "")``, or ``(nan, why it is not a number and what to write)``.

    For readers of many cells, who collect what is wrong; everybody else calls `parse_number`.
    """
    if isinstance(value, str):
        number, why = _read_text(value)
    elif getattr(value, "ndim", None) == 0 and hasattr(value, "item"):  # NumPy and JAX scalars
        item = value.item()
        return read_number(item) if isinstance(item, (str, bool, Real)) else (math.nan, REMEDY)
    elif isinstance(value, (Real, Decimal)) and not isinstance(value, bool):
        number, why = _float_or_infinity(value), ""
    else:
        return math.nan, REMEDY
    if why:
        return math.nan, why
    if not math.isfinite(number):
        return math.nan, "a finite number is needed"
    return number, ""


def _read_text(text: str) -> tuple[float, str]:
    match = NUMBER.fullmatch(text.strip())
    if match is None:
        return math.nan, REMEDY
    digits, exponent, suffix = match["digits"].replace(",", "").replace("_", ""), match["exponent"], match["suffix"]
    if suffix in AMBIGUOUS:
        return math.nan, AMBIGUOUS[suffix]
    if suffix not in POWERS:
        return math.nan, f"{REMEDY}; the suffixes are K, M, B or G, T, P, E"
    if exponent and suffix:
        return math.nan, f"an exponent or a suffix, not both; {REMEDY}"
    # Through the text, not digits * 10**power, so that "4.35M" is the float nearest to 4,350,000.
    return float(f"{digits}e{exponent or POWERS[suffix]}"), ""


def _float_or_infinity(number) -> float:
    try:
        return float(number)
    except OverflowError:
        return math.inf


def parse_number(text_or_number, *, name: str = "value") -> float:
    """Read one number: "7B", "1.4T", "350M", "12k", "6e21", "1,000,000", "1_000_000", or a number as it is.

    Parameters
    ----------
    text_or_number : str or number
        Suffixes are K or k (1e3), M (1e6), B or G (1e9), T (1e12), P (1e15) and E (1e18); "6E21" is 6e21, "6E" is 6e18.
    name : str
        What the number is called in the error.

    Returns
    -------
    float
        Finite; zero and negative numbers are passed on, whoever needs a positive one says so.

    Raises
    ------
    NumberError
        For anything else: "" and None, booleans, NaN and infinity, the ambiguous "7b" and "7m", "1e3B".
    """
    number, why = read_number(text_or_number)
    if why:
        raise _number_error(name, text_or_number, why)
    return number


def parse_numbers(x, *, name: str = "value") -> np.ndarray:
    """Read a number, a sequence, an array or a Series of them (see `parse_number`).

    Returns
    -------
    ndarray of float64
        Of the shape of `x`; a single number gives shape ().

    Raises
    ------
    NumberError
        Naming the first cell that is not a finite number.
    """
    try:
        cells = np.asarray(x)
    except ValueError as error:
        raise _number_error(name, x, "rows of one length are needed") from error
    if cells.dtype.kind in "iuf":
        numbers = cells.astype(np.float64)
        if np.isfinite(numbers).all():
            return numbers
    elif not isinstance(x, (str, np.ndarray)) and cells.dtype.kind in "UO":
        cells = np.asarray(x, dtype=object)  # [True, "7B"] must not become the texts "True" and "7B"
    numbers = np.empty(cells.shape)
    for place, cell in np.ndenumerate(cells):
        where = f"{name}[{', '.join(map(str, place))}]" if place else name
        numbers[place] = parse_number(cell, name=where)
    return numbers


def format_number(x, *, digits: int = 3) -> str:
    """Write a number as short as it is read: 7e9 -> "7B", 1.4e12 -> "1.4T", 6e21 -> "6e21", 2.0774 -> "2.08".

    Parameters
    ----------
    x : number
    digits : int
        Significant digits; zeros at the end are left out.

    Returns
    -------
    str
        `parse_number` reads it back, exactly so where `digits` digits say all of `x`.
    """
    x = float(x)
    if x == 0 or not math.isfinite(x):
        return f"{x:g}".replace("-0", "0")
    mantissa, exponent = f"{x:.{digits - 1}e}".split("e")  # rounds first: 999.7e6 is 1B, not 1000M
    power = int(exponent)
    group = power - power % 3
    if group in SUFFIX_OF_POWER:
        return _plain(Decimal(mantissa).scaleb(power - group)) + SUFFIX_OF_POWER[group]
    if -4 <= power < 3:
        return _plain(Decimal(mantissa).scaleb(power))
    return f"{_plain(Decimal(mantissa))}e{power}"


def _plain(number: Decimal) -> str:
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def scale_factor(unit, *, name: str = "unit") -> float:
    """Give the factor that brings a column in `unit` to ours (counts, FLOP, nats per token).

    Parameters
    ----------
    unit : str or number
        "thousands", "millions", "billions", "trillions" (or K, M, B, T); "PF-days" = 8.64e19 FLOP; "bits" per token =
        ln 2 nats per token; "nats"; "percent"; or the factor itself, such as 2048 for batches counted in sequences.
    name : str
        What the unit is called in the error.

    Raises
    ------
    NumberError
        For any other unit and for a factor that is not positive, with the list of what is understood.
    """
    if isinstance(unit, str):
        word = unit.strip()
        for known in (word.lower(), f"{word.lower()}s"):
            if known in WORDS:
                return WORDS[known]
        if word in POWERS and word:
            return 10.0 ** POWERS[word]
    factor, why = read_number(unit)
    if why or factor <= 0:
        raise _number_error(name, unit, UNITS_UNDERSTOOD, what="a known unit")
    return factor


def _number_error(name, value, why, what="a number"):
    shown = repr(str(value) if isinstance(value, np.str_) else value)
    shown = shown if len(shown) <= 60 else f"{shown[:57]}..."
    return NumberError(f"{name}: {shown} is not {what}: {why}")
