import math
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bayesscale.errors import NumberError
from bayesscale.units import format_number, parse_number, parse_numbers, scale_factor


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("7B", 7e9),
        ("1.4T", 1.4e12),
        ("350M", 350e6),
        ("12k", 12e3),
        ("12K", 12e3),
        ("3G", 3e9),
        ("2P", 2e15),
        ("6E", 6e18),
        ("6E21", 6e21),
        ("6e21", 6e21),
        ("6e+21", 6e21),
        ("1e-3", 1e-3),
        ("1,000,000", 1e6),
        ("1_000_000", 1e6),
        ("1,234.5M", 1234.5e6),
        ("  7 B ", 7e9),
        (".5T", 5e11),
        ("-2", -2.0),
        ("4.35M", 4_350_000.0),
        (7, 7.0),
        (10**20, 1e20),
        (np.int64(7), 7.0),
        (np.float32(0.5), 0.5),
        (np.array(3), 3.0),
        (Decimal("1.5"), 1.5),
    ],
)
def test_numbers_as_people_write_them(text, number):
    assert parse_number(text) == number


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("", "write 7B"),
        ("7b", "bits, bytes or billions"),
        ("7m", "milli or million"),
        ("7BB", "suffixes are K, M, B"),
        ("7 tokens", "suffixes are K, M, B"),
        ("1e3B", "not both"),
        ("6e", "suffixes"),
        ("nan", "suffixes|write 7B"),
        ("inf", "write 7B"),
        ("1,5", "write 7B"),
        ("1,0000", "write 7B"),
        ("7*10^9", "write 7B"),
        ("1e999", "finite"),
        (10**400, "finite"),
        (math.nan, "finite"),
        (math.inf, "finite"),
        (True, "write 7B"),
        (np.True_, "write 7B"),
        (None, "write 7B"),
        (1j, "write 7B"),
        (np.datetime64("2024-01-01"), "write 7B"),
        ([7], "write 7B"),
    ],
)
def test_refuses_what_is_no_number_and_says_what_to_write(value, said):
    with pytest.raises(NumberError, match=said) as caught:
        parse_number(value, name="C")
    assert str(caught.value).startswith("C: ")
    assert repr(value)[:57] in str(caught.value)


def test_arrays_keep_their_shape():
    assert parse_numbers("70B").shape == ()
    np.testing.assert_array_equal(parse_numbers(["7B", 8e9, "9e9"]), [7e9, 8e9, 9e9])
    np.testing.assert_array_equal(parse_numbers(pd.Series(["7B", "1.4T"])), [7e9, 1.4e12])
    np.testing.assert_array_equal(parse_numbers([["1K", "2K"], [3, 4]]), [[1e3, 2e3], [3, 4]])
    whole = parse_numbers(np.array([70 * 10**9]))
    assert whole.dtype == np.float64


@pytest.mark.parametrize("cells", [[1.0, math.nan], [True, "7B"], [True, False], ["7B", "x"], [[1, 2], [3]]])
def test_arrays_name_the_cell_at_fault(cells):
    with pytest.raises(NumberError, match=r"^D(\[\d\])?: "):
        parse_numbers(cells, name="D")


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (7e9, "7B"),
        (1.4e12, "1.4T"),
        (6e21, "6e21"),
        (999.7e6, "1B"),
        (999.9e12, "1e15"),
        (12_345, "12.3K"),
        (100, "100"),
        (2.0774, "2.08"),
        (0.0003, "0.0003"),
        (1e-5, "1e-5"),
        (0, "0"),
        (-0.0, "0"),
        (-3e9, "-3B"),
        (math.nan, "nan"),
        (-math.inf, "-inf"),
    ],
)
def test_numbers_as_we_write_them(number, text):
    assert format_number(number) == text


@given(mantissa=st.integers(-999, 999), power=st.integers(-12, 26))
def test_three_digits_round_trip(mantissa, power):
    number = float(f"{mantissa}e{power}")
    assert parse_number(format_number(number)) == number


@given(st.floats(min_value=1e-300, max_value=1e300))
def test_any_number_round_trips_with_enough_digits(number):
    assert parse_number(format_number(number, digits=17)) == number
    assert parse_number(format_number(number)) == pytest.approx(number, rel=5.01e-3)


@pytest.mark.parametrize(
    ("unit", "factor"),
    [
        ("millions", 1e6),
        ("million", 1e6),
        ("Billions", 1e9),
        ("M", 1e6),
        ("T", 1e12),
        ("PF-days", 8.64e19),
        ("bits", math.log(2)),
        ("nats", 1.0),
        ("percent", 0.01),
        (2048, 2048.0),
        ("1e20", 1e20),
    ],
)
def test_units(unit, factor):
    assert scale_factor(unit) == pytest.approx(factor, rel=1e-15)


@pytest.mark.parametrize("unit", ["furlongs", "m", "", "bpb", 0, -1, None, True])
def test_unknown_units_list_the_known_ones(unit):
    with pytest.raises(NumberError, match=r'not a known unit: .*"millions".*"PF-days".*"bits"'):
        scale_factor(unit)
