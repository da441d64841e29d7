import kand
import numpy as np
from pydantic import Field, model_validator

from .base import Strategy


class MacdCross(Strategy):
    fast: int = Field(12, gt=1)
    slow: int = Field(26, gt=2)
    signal: int = Field(9, gt=1)

    @model_validator(mode="after")
    def order(self):
        if self.fast >= self.slow:
            raise ValueError("fast must be below slow")
        return self

    def positions(self, bars):
        _, _, histogram, _, _ = kand.macd(bars["close"], self.fast, self.slow, self.signal)
        return np.where(np.nan_to_num(histogram) > 0, 1.0, 0.0)


class SuperTrend(Strategy):
    period: int = 10
    multiplier: float = 3.0

    def positions(self, bars):
        trend, *_ = kand.supertrend(bars["high"], bars["low"], bars["close"], self.period, self.multiplier)
        return np.where(np.nan_to_num(trend) > 0, 1.0, 0.0)
