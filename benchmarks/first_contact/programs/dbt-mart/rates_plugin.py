"""dbt-duckdb plugin: exchange rates as a source."""
from typing import Any

import arro3.core as arrow
import duckdb
from dbt.adapters.duckdb.plugins import BasePlugin
from dbt.adapters.duckdb.utils import SourceConfig

RATES = {"EUR": 1.0, "GBP": 0.85, "DKK": 7.46, "USD": 1.1}


class Plugin(BasePlugin):
    def initialize(self, plugin_config: dict[str, Any]) -> None:
        self.base = plugin_config["base"]

    def configure_cursor(self, cursor: duckdb.DuckDBPyConnection) -> None:
        cursor.execute("create or replace temp macro to_base(amount, rate) as amount / rate")

    def load(self, source_config: SourceConfig) -> arrow.Table:
        if source_config.identifier != "exchange":
            raise ValueError(f"unknown source {source_config.identifier}")
        scale = RATES[self.base]
        return arrow.Table.from_pydict(
            {
                "currency": arrow.Array(list(RATES), arrow.DataType.utf8()),
                "rate": arrow.Array([rate / scale for rate in RATES.values()], arrow.DataType.float64()),
            }
        )
