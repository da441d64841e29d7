from pathlib import Path

from ravyn import CORSConfig, OpenAPIConfig, RavynSettings, StaticFilesConfig
from ravyn.core.config.template import TemplateConfig

HERE = Path(__file__).resolve().parent.parent


class HarborSettings(RavynSettings):
    app_name: str = "Harbor Office"
    secret_key: str = "harbor-office-secret-of-the-quay-master"
    title: str = "Harbor"
    berth_limit: int = 3
    enable_openapi: bool = True

    @property
    def cors_config(self):
        return CORSConfig(allow_origins=["https://port.example"])

    @property
    def static_files_config(self):
        return StaticFilesConfig(path="/static", directory=HERE / "static")

    @property
    def template_config(self):
        return TemplateConfig(directory=HERE / "templates")

    @property
    def openapi_config(self):
        return OpenAPIConfig(title="Harbor", version="2.1")
