"""A fleet's configuration: Dynaconf with TOML, YAML and JSON layers, a loader and a hook named by class path, validators, a sealed secret, Jinja values, rtoml output."""
import os
import sys
import tempfile
from pathlib import Path

import rtoml
from cryptography.fernet import Fernet
from dynaconf import Dynaconf, ValidationError, Validator, loaders
from dynaconf.utils.boxing import DynaBox
from jinja2 import Environment
from pydantic import BaseModel

KEY = Fernet.generate_key()


class Server(BaseModel):
    host: str
    port: int
    tags: list[str]


def load(obj, env=None, silent=True, key=None, filename=None):
    if hasattr(obj, "SEALED"):
        obj.set("SECRET", Fernet(KEY).decrypt(obj.SEALED.encode()).decode())


def main():
    d = Path(tempfile.mkdtemp())
    sys.modules["fleet_loader"] = sys.modules["__main__"]
    (d / "settings.toml").write_text(rtoml.dumps({"default": {"port": 80, "host": "@format {env[FLEET_HOST]}", "tags": ["a"], "sealed": Fernet(KEY).encrypt(b"hush").decode()}, "production": {"port": 443}}))
    (d / "more.yaml").write_text("default:\n  tags:\n    - b\n    - dynaconf_merge\n  page: '@jinja {{ this.port + 1 }}'\n")
    (d / ".secrets.json").write_text('{"default": {"token": "t0"}}')
    os.environ.update(FLEET_HOST="h.example", FLEET_LIMITS__cpu="4", ENV_FOR_DYNACONF="production", FLEET_DEBUG="true")
    settings = Dynaconf(envvar_prefix="FLEET", environments=True, root_path=str(d), settings_files=["settings.toml", "more.yaml", ".secrets.json"], loaders_for_dynaconf=["dynaconf.loaders.env_loader", "fleet_loader"], validators=[Validator("PORT", gte=1, lte=65535, is_type_of=int)])
    settings.validators.validate()
    server = Server(host=settings.HOST, port=settings.PORT, tags=list(settings.TAGS))
    try:
        Dynaconf(settings_files=[], validators=[Validator("MISSING", must_exist=True)]).validators.validate()
        found = "no"
    except ValidationError:
        found = "missing"
    loaders.write(str(d / "out.json"), DynaBox(settings.as_dict()).to_dict())
    loaders.write(str(d / "out.yaml"), {"a": server.model_dump()})
    text = Environment().from_string("listen {{ s.host }}:{{ s.port }}").render(s=server)
    print("OK", server, settings.SECRET, settings.PAGE, settings.LIMITS.cpu, settings.DEBUG, found, text, (d / "out.json").stat().st_size > 50, rtoml.load(d / "settings.toml")["production"])


main()
