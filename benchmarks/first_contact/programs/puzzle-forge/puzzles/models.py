from typing import Annotated, Literal, Union

from pydantic import BaseModel, Field, TypeAdapter, field_validator
import chess


class Tactic(BaseModel):
    kind: Literal["tactic"]
    name: str
    fen: str
    mate_in: int = Field(ge=1, le=3)

    @field_validator("fen")
    @classmethod
    def legal(cls, value):
        board = chess.Board(value)
        if not board.is_valid():
            raise ValueError(f"illegal position: {board.status().name or 'unknown'}")
        return value


class Knapsack(BaseModel):
    kind: Literal["knapsack"]
    name: str
    capacity: int
    items: dict[str, tuple[int, int]]


class Club(BaseModel):
    kind: Literal["club"]
    name: str
    ratings: dict[str, int]
    wishes: dict[str, int]


Puzzle = Annotated[Union[Tactic, Knapsack, Club], Field(discriminator="kind")]
PUZZLES = TypeAdapter(list[Puzzle])
