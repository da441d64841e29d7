from prefect.blocks.core import Block
from pydantic import Field, SecretStr, field_validator


class MillSettings(Block):
    """Settings of one mill, kept in the API."""

    _block_type_name = "Mill Settings"
    _block_type_slug = "mill-settings"

    site: str
    loss_percent: float = Field(ge=0, le=20)
    token: SecretStr

    @field_validator("site")
    @classmethod
    def upper(cls, value):
        return value.upper()
