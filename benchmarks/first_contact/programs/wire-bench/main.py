"""Classes on the wire: the same orders through cattrs, Mashumaro, Adaptix, msgspec, in JSON, and MessagePack, with unions, hooks, renamed fields, errors with their paths, a JSON schema."""
from dataclasses import dataclass, field
from datetime import datetime, timezone
from decimal import Decimal
from enum import Enum
from typing import Optional, Union

import attrs
import msgspec
import ormsgpack
from adaptix import Retort, name_mapping, NameStyle
from adaptix.load_error import AggregateLoadError
from cattrs.errors import ClassValidationError
from cattrs.preconf import json as json_conf
from cattrs.preconf import msgpack as msgpack_conf
from cattrs.preconf import msgspec as msgspec_conf
from cattrs.preconf import orjson as orjson_conf
from cattrs.strategies import configure_tagged_union
from mashumaro.config import BaseConfig
from mashumaro.jsonschema import build_json_schema
from mashumaro.mixins.msgpack import DataClassMessagePackMixin
from mashumaro.mixins.orjson import DataClassORJSONMixin


class Size(Enum):
    SMALL = "s"
    LARGE = "l"


@attrs.define
class Card:
    number: str


@attrs.define
class Cash:
    given: int


@attrs.define
class Sale:
    key: int
    at: datetime
    pays: Union[Card, Cash]
    size: Size = Size.SMALL


@dataclass
class Order(DataClassORJSONMixin, DataClassMessagePackMixin):
    key: int
    price: Decimal
    parts: dict[str, list[int]] = field(default_factory=dict)
    note: Optional[str] = None

    class Config(BaseConfig):
        aliases = {"note": "remark"}


@dataclass
class Plain:
    first_name: str
    born_at: datetime
    tags: list[str]


class Row(msgspec.Struct, rename="camel", tag=True):
    row_id: int
    is_new: bool = True


def main():
    sale = Sale(5, datetime(2026, 1, 1, tzinfo=timezone.utc), Cash(7), Size.LARGE)
    made = {}
    for name, module in (("json", json_conf), ("orjson", orjson_conf), ("msgpack", msgpack_conf), ("msgspec", msgspec_conf)):
        converter = module.make_converter()
        configure_tagged_union(Union[Card, Cash], converter)
        raw = converter.dumps(sale, Sale)
        made[name] = converter.loads(raw, Sale) == sale
    try:
        converter.structure({"key": "x", "at": 3}, Sale)
    except ClassValidationError as error:
        wrong = len(error.exceptions)
    order = Order(1, Decimal("2.50"), {"a": [1]})
    same = Order.from_json(order.to_jsonb()) == order, Order.from_msgpack(order.to_msgpack()) == order
    schema = sorted(build_json_schema(Order).to_dict()["properties"])
    retort = Retort(recipe=[name_mapping(Plain, name_style=NameStyle.CAMEL)])
    plain = retort.load({"firstName": "Ada", "bornAt": "2026-01-01T00:00:00", "tags": ["x"]}, Plain)
    try:
        retort.load({"firstName": 3, "bornAt": "no", "tags": 1}, Plain)
    except AggregateLoadError as error:
        wrongs = len(error.exceptions)
    row = msgspec.json.decode(msgspec.json.encode(Row(3)), type=Row), msgspec.json.encode(Row(3)).decode()
    packed = ormsgpack.packb(plain, option=ormsgpack.OPT_NAIVE_UTC)
    print("OK", made, wrong, same, schema, retort.dump(plain)["firstName"], wrongs, row[1], len(packed) > 20)


main()
