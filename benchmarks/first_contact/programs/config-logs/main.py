"""Layered configuration (TOML, .env, secrets, the command line) that also configures logging: dictConfig with class paths, structlog, JSON lines."""
import json
import logging
import logging.config
import os
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Literal

import orjson
import rtoml
import structlog
from pydantic import AliasChoices, AnyHttpUrl, BaseModel, Field, ImportString, SecretStr, TypeAdapter
from pydantic_settings import BaseSettings, CliApp, CliPositionalArg, NestedSecretsSettingsSource, SettingsConfigDict

root = Path(tempfile.mkdtemp())
(root / "secrets").mkdir()
(root / "secrets" / "token").write_text("s3cret")
(root / ".env").write_text("APP_DB__PORT=5433\nAPP_MODE=prod\n")
CONFIG = """
[serializer]
path = "orjson.dumps"
[logging]
version = 1
disable_existing_loggers = false
[logging.formatters.json]
"()" = "pythonjsonlogger.json.JsonFormatter"
format = "{levelname}{name}{message}"
style = "{"
[logging.formatters.fast]
"()" = "pythonjsonlogger.orjson.OrjsonFormatter"
[logging.handlers.file]
class = "logging.handlers.RotatingFileHandler"
filename = "FILE"
formatter = "json"
[logging.handlers.queue]
class = "logging.handlers.MemoryHandler"
capacity = 10
target = "file"
[logging.handlers.screen]
class = "rich.logging.RichHandler"
level = "ERROR"
rich_tracebacks = true
[logging.root]
handlers = ["file", "screen"]
level = "INFO"
"""


class Db(BaseModel):
    host: str = "localhost"
    port: int = 5432


class Json(BaseModel):
    kind: Literal["json"] = "json"
    indent: int = 0


class Text(BaseModel):
    kind: Literal["text"] = "text"


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="APP_", env_nested_delimiter="__", env_file=root / ".env", secrets_dir=root / "secrets", cli_prog_name="app")
    target: CliPositionalArg[str]
    db: Db = Db()
    mode: Literal["dev", "prod"] = "dev"
    token: SecretStr = Field(SecretStr(""), validation_alias=AliasChoices("token", "t"))
    site: AnyHttpUrl = "https://example.org"
    out: Annotated[Json | Text, Field(discriminator="kind")] = Text()
    serializer: ImportString = "json.dumps"

    def cli_cmd(self):
        log = structlog.get_logger("app")
        log.info("run", target=self.target, port=self.db.port)
        logging.getLogger("plain").info("done", extra={"mode": self.mode})


def main():
    conf = rtoml.loads(CONFIG)
    conf["logging"]["handlers"]["file"]["filename"] = str(root / "log.jsonl")
    logging.config.dictConfig(conf["logging"])
    structlog.configure(
        processors=[structlog.stdlib.add_log_level, structlog.stdlib.render_to_log_kwargs],
        logger_factory=structlog.stdlib.LoggerFactory(), wrapper_class=structlog.stdlib.BoundLogger,
    )
    os.environ["APP_SITE"] = "https://exämple.org/a"
    s = CliApp.run(Settings, cli_args=["ship", "--out.kind", "json", "--out.indent", "2", "--serializer", conf["serializer"]["path"]])
    lines = [json.loads(x) for x in (root / "log.jsonl").read_text().splitlines()]
    dumped = s.serializer({"x": 1})
    formatter = logging.config.DictConfigurator({"version": 1}).resolve("pythonjsonlogger.orjson.OrjsonFormatter")
    line = formatter().format(logging.LogRecord("n", 20, "p", 1, "hello", None, None))
    schema = TypeAdapter(Settings).json_schema()
    print("OK", s.token.get_secret_value(), s.db.port, s.mode, s.site.host, s.out.indent, dumped, lines[0].get("target"), lines[1]["mode"],
          orjson.loads(line)["message"], len(schema["properties"]), NestedSecretsSettingsSource.__name__[:6], len(sys.argv))


if __name__ == "__main__":
    main()
