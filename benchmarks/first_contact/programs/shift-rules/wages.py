"""The wage figures as a Hamilton dataflow: every function is a node."""
import pandas as pd
from hamilton.function_modifiers import check_output, config, extract_columns, tag


@extract_columns("person", "hours", "factor")
def roster(shifts: list) -> pd.DataFrame:
    return pd.DataFrame(shifts)


@tag(owner="payroll")
@check_output(range=(0.0, 2000.0), importance="fail")
def gross(hours: pd.Series, factor: pd.Series, rate: float) -> pd.Series:
    return hours * factor * rate


@config.when(region="north")
def net__north(gross: pd.Series) -> pd.Series:
    return gross * 0.8


@config.when_not(region="north")
def net__other(gross: pd.Series) -> pd.Series:
    return gross * 0.75


def per_person(person: pd.Series, net: pd.Series) -> pd.Series:
    return net.groupby(person).sum().round(2)
