from enum import Enum

from pydantic import BaseModel, Field, field_validator


class Kind(str, Enum):
    cargo = "cargo"
    ferry = "ferry"
    tug = "tug"


class Ship(BaseModel):
    name: str = Field(min_length=2, max_length=40)
    kind: Kind
    length: float = Field(gt=0, le=400)
    flags: list[str] = []

    @field_validator("name")
    @classmethod
    def tidy(cls, value: str) -> str:
        return value.strip().title()


class Berthed(Ship):
    berth: int
    fee: float


class Summary(BaseModel):
    ships: int
    fees: float
    by_kind: dict[str, int]
