import kand
import numpy as np

from .base import Strategy


class RsiBand(Strategy):
    period: int = 14
    low: float = 30
    high: float = 70

    def positions(self, bars):
        rsi, _, _ = kand.rsi(bars["close"], self.period)
        held, out = 0.0, []
        for value in rsi:
            if value < self.low:
                held = 1.0
            elif value > self.high:
                held = 0.0
            out.append(held)
        return np.array(out)
