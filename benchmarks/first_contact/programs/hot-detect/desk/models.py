from enum import Enum

from pydantic import BaseModel, Field, computed_field


class Severity(str, Enum):
    low = "low"
    medium = "medium"
    high = "high"
    critical = "critical"


class RuleCard(BaseModel):
    title: str = Field(max_length=120)
    level: Severity
    techniques: list[str] = []
    queries: dict[str, str] = {}

    @computed_field
    @property
    def weight(self) -> int:
        return [*Severity].index(self.level) + 1 + len(self.techniques)
