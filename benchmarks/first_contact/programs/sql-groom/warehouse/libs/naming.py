"""Helpers the SQL templates may call, as dbt-style library functions."""


def staging(schema, name):
    return f"{schema}.stg_{name}"


def columns(*names):
    return ", ".join(names)
