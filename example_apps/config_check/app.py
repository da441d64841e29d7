"""Check the configuration of a server against a schema, then against its model.

Usage: app.py [CONFIG.json]
"""

import sys
from datetime import timedelta
from decimal import Decimal
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
from jsonschema import Draft202012Validator
from pydantic import BaseModel, Field, ValidationError
from referencing import Registry, Resource

PORT = {"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "integer", "minimum": 1}
SCHEMA = {
    "type": "object",
    "required": ["name", "listen"],
    "properties": {
        "name": {"type": "string"},
        "listen": {"type": "object", "properties": {"port": {"$ref": "urn:example:port"}}},
    },
}
CONFIGS = (
    b"""{"name": "north", "listen": {"address": "10.0.0.7", "port": 8080}, "timeout": "PT1M30S",
         "rate": "0.125", "id": "12345678-1234-5678-1234-567812345678"}""",
    b'{"name": 7, "listen": {"address": "10.0.0.8", "port": 0}}',
    b'{"name": "south", "listen": {"address": "10.0.0.999", "port": 80}, "rate": "9.5"}',
)


class Listen(BaseModel):
    address: IPv4Address
    port: int


class Server(BaseModel):
    name: str
    listen: Listen
    timeout: timedelta = timedelta(seconds=30)
    rate: Decimal = Field(default=Decimal(1), le=1, decimal_places=3)
    id: UUID = UUID(int=0)


def check(text: bytes) -> Any:
    """The messages of what is wrong, or the server."""
    config = orjson.loads(text)
    registry = Registry().with_resource("urn:example:port", Resource.from_contents(PORT))
    validator = Draft202012Validator(SCHEMA, registry=registry)
    errors = sorted(f"{e.json_path}: {e.message}" for e in validator.iter_errors(config))
    if errors:
        return errors
    try:
        return Server.model_validate(config)
    except ValidationError as error:
        return [f"$.{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]


def main() -> None:
    texts = [Path(name).read_bytes() for name in sys.argv[1:]] or CONFIGS
    for text in texts:
        found = check(text)
        if isinstance(found, Server):
            print(f"good: {orjson.dumps(found.model_dump(mode='json')).decode()}")
            print(f"      {found.timeout} {found.rate * 8} {found.id.hex} {found.listen.address}")
        else:
            print("\n".join(["bad:", *(f"  {line}" for line in found)]))


if __name__ == "__main__":
    main()
