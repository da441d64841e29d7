from abc import ABC, abstractmethod

import numpy as np
from pydantic import BaseModel, ConfigDict


class Strategy(BaseModel, ABC):
    model_config = ConfigDict(extra="forbid", frozen=True)

    @property
    def label(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={v}' for k, v in self)})"

    @abstractmethod
    def positions(self, bars: dict[str, np.ndarray]) -> np.ndarray:
        """1.0 where the strategy is invested, 0.0 elsewhere."""
