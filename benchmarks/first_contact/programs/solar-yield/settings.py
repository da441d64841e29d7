"""Plant description and settings: YAML checked by pydantic, overridable by the environment."""
from pathlib import Path

import yaml
from pydantic import BaseModel, Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from zoneinfo import ZoneInfo

HERE = Path(__file__).resolve().parent


class Array(BaseModel):
    tilt: float = Field(ge=0, le=90)
    azimuth: float = Field(ge=0, lt=360)
    modules: int = Field(gt=0)
    strings: int = 1


class Site(BaseModel):
    name: str
    latitude: float = Field(ge=-90, le=90)
    longitude: float = Field(ge=-180, le=180)
    altitude: float = 0
    timezone: str
    albedo: str = "grass"
    arrays: list[Array]

    @field_validator("timezone")
    @classmethod
    def known_zone(cls, value):
        try:
            ZoneInfo(value)
        except KeyError as exc:
            raise ValueError(f"unknown time zone {value}") from exc
        return value


class Plant(BaseModel):
    sites: list[Site]
    losses: dict[str, float] = {}


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="SOLAR_YIELD_")

    year: int = 2023
    months: list[int] = [3, 6, 9, 12]
    transposition: str = "perez"
    clearsky: str = "ineichen"
    module_family: str = "CECMod"
    module: str = "Canadian_Solar_Inc__CS5P_220M"
    inverter: str = "ABB__MICRO_0_25_I_OUTD_US_208__208V_"


def load_plant(path: Path = HERE / "sites.yaml") -> Plant:
    return Plant.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
