"""Tables, the resource root and the schemas of the workshop."""
from datetime import date
from decimal import Decimal

import colander
import deform
import nh3
from pydantic import BaseModel, Field, field_validator
from pyramid.authorization import Allow, Everyone
from sqlalchemy import String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

STATUS = ("open", "waiting", "done")


class Root:
    __acl__ = [(Allow, Everyone, "view"), (Allow, "group:clerk", "create"), (Allow, "group:master", "report")]

    def __init__(self, request):
        self.request = request


class Base(DeclarativeBase):
    pass


class Ticket(Base):
    __tablename__ = "ticket"
    id: Mapped[int] = mapped_column(primary_key=True)
    item: Mapped[str] = mapped_column(String(80))
    status: Mapped[str] = mapped_column(String(10), default="open")
    price: Mapped[int]
    due: Mapped[date]
    note: Mapped[str] = mapped_column(default="")


class TicketIn(BaseModel):
    """What the JSON interface takes."""

    item: str = Field(min_length=3, max_length=80)
    price: Decimal = Field(gt=0, decimal_places=2)
    due: date
    note: str = ""

    @field_validator("note")
    @classmethod
    def harmless(cls, value):
        return nh3.clean(value, tags={"b", "i", "a"}, url_schemes={"https"})


class TicketSchema(colander.MappingSchema):
    """What the form takes."""

    item = colander.SchemaNode(colander.String(), validator=colander.Length(3, 80), title="Item")
    price = colander.SchemaNode(colander.Decimal("0.01"), validator=colander.Range(min=1), widget=deform.widget.MoneyInputWidget())
    due = colander.SchemaNode(colander.Date(), title="Due on")
    status = colander.SchemaNode(colander.String(), validator=colander.OneOf(STATUS), widget=deform.widget.SelectWidget(values=[(s, s.title()) for s in STATUS]), missing="open")
    note = colander.SchemaNode(colander.String(), widget=deform.widget.TextAreaWidget(rows=3), missing="", preparer=lambda v: nh3.clean(v) if v else v)
