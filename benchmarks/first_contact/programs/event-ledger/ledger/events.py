import datetime as dt
import enum
from importlib.resources import files

from confluent_kafka.schema_registry import Schema, SchemaReference, SchemaRegistryClient
from dataclasses_avroschema.pydantic import AvroBaseModel
from pydantic import Field


class Kind(str, enum.Enum):
    DEPOSIT = "DEPOSIT"
    WITHDRAWAL = "WITHDRAWAL"


class Booking(AvroBaseModel):
    """One line of an account."""

    account: str = Field(min_length=4)
    kind: Kind
    cents: int
    booked_at: dt.datetime
    tags: list[str] = Field(default_factory=list)
    note: str | None = None

    class Meta:
        namespace = "com.example.ledger"
        schema_doc = "One line of an account"


def transfer_schema(registry: SchemaRegistryClient) -> Schema:
    """The transfer's JSON schema refers to the party's, which is registered on its own."""
    folder = files("ledger") / "schemas"
    registry.register_schema("party", Schema((folder / "party.json").read_text(), "JSON"))
    latest = registry.get_latest_version("party")
    return Schema(
        (folder / "transfer.json").read_text(), "JSON", references=[SchemaReference("http://example.com/party.json", "party", latest.version)]
    )
