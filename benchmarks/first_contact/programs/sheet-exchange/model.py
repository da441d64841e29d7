import datetime as dt
from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, Field, computed_field


def as_date(value: object) -> object:
    return value.date() if isinstance(value, dt.datetime) else value


class Offer(BaseModel):
    sku: str = Field(pattern=r"^[A-Z]-\d{3}$")
    name: str
    quantity: int = Field(gt=0)
    unit_price: Decimal = Field(gt=0, decimal_places=2)
    valid_from: Annotated[dt.date, BeforeValidator(as_date)]

    @computed_field
    @property
    def total(self) -> Decimal:
        return self.quantity * self.unit_price
