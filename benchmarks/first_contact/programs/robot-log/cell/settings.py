from pathlib import Path

from pydantic import BaseModel, Field
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource


class CanSettings(BaseModel):
    channel: str
    node_id: int = Field(ge=1, le=127)


class PlcSettings(BaseModel):
    port_base: int = Field(gt=1024)
    recipe: list[int]


class BusSettings(BaseModel):
    prefix: str = Field(pattern=r"^[a-z0-9/]+$")


class Settings(BaseSettings):
    model_config = SettingsConfigDict(
        toml_file=Path(__file__).with_name("settings.toml"), env_prefix="CELL_", env_nested_delimiter="__"
    )
    can: CanSettings
    plc: PlcSettings
    bus: BusSettings

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)
