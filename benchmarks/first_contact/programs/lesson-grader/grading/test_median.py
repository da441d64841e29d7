from pathlib import Path

import pytest
from pytest_bdd import given, parsers, scenarios, then, when

scenarios(str(Path(__file__).resolve().parent.parent / "features" / "median.feature"))


@pytest.fixture
def box():
    return {}


@given("the answer of the student", target_fixture="function")
def _(answer_function):
    return answer_function


@when(parsers.re(r"the values (?P<values>[\d, ]+) are given"), converters={"values": lambda s: [int(x) for x in s.split(",")]})
def _(function, values, box):
    box["result"] = function(values)


@then(parsers.parse("the median is {expected:g}"))
def _(box, expected):
    assert box["result"] == expected


@pytest.mark.parametrize("size", [1, 4, 9])
def test_shape(answer_function, size, data_regression):
    data_regression.check({"size": size, "medians": [float(answer_function(list(range(k, k + size)))) for k in range(3)]})


def test_does_not_change_input(answer_function):
    values = [3, 1, 2]
    answer_function(values)
    assert values == [3, 1, 2]
