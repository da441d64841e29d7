"""stack-console: a command line console for an OpenStack project."""
import io
import json
import logging
import os
import sys
import tempfile
import tomllib
from collections import Counter
from pathlib import Path

import openstack
from cliff.app import App
from cliff.commandmanager import CommandManager
from keystoneauth1 import loading
from openstack.config import OpenStackConfig
from openstack import exceptions
from stevedore import driver, extension, named

from console import standin

HERE = Path(__file__).resolve().parent


class TomlCommands(CommandManager):
    """Adds the commands listed in commands.toml to those of the namespace."""

    def load_commands(self, namespace):
        super().load_commands(namespace)
        table = tomllib.loads((HERE / "commands.toml").read_text())
        for name, target in table.items():
            self.add_command(name, self._resolver(target))

    @staticmethod
    def _resolver(target):
        module, _, attr = target.partition(":")
        return getattr(__import__(module, fromlist=[attr]), attr)


class Console(App):
    CONSOLE_MESSAGE_FORMAT = "%(levelname)s: %(message)s"

    def __init__(self, base, **kwargs):
        self.base = base
        self.cloud = None
        super().__init__(
            description="OpenStack console",
            version="1.0",
            command_manager=TomlCommands("stackconsole.commands"),
            deferred_help=True,
            **kwargs,
        )

    def build_option_parser(self, description, version, argparse_kwargs=None):
        parser = super().build_option_parser(description, version, argparse_kwargs)
        parser.add_argument("--cloud", default="lab")
        return parser

    def prepare_to_run_command(self, cmd):
        if self.cloud is None and cmd.cmd_name not in ("help", "complete"):
            config = OpenStackConfig(
                config_files=[str(HERE / "clouds.yaml")], load_envvars=False
            )
            region = config.get_one(
                self.options.cloud, auth={"auth_url": f"{self.base}/identity/v3"}
            )
            self.cloud = openstack.connection.Connection(config=region)

    def clean_up(self, cmd, result, err):
        if err:
            self.LOG.debug("failed: %s", err)


def run(base, line, app=None):
    out, err = io.StringIO(), io.StringIO()
    app = app or Console(base, stdout=out, stderr=err)
    app.stdout, app.stderr = out, err
    code = app.run(line.split())
    print(f"$ {line} -> {code}")
    print(out.getvalue().rstrip())
    if code:
        print(err.getvalue().strip())
    return code, out.getvalue()


def plug_ins():
    formatters = extension.ExtensionManager("cliff.formatter.list", invoke_on_load=True)
    print("formatters:", ", ".join(sorted(formatters.names())))
    auth = loading.get_available_plugin_names()
    print("auth plug-ins:", len(auth), "v3password" in auth)
    options = loading.get_plugin_loader("v3applicationcredential").get_options()
    print("options:", ", ".join(sorted(o.name for o in options))[:80])
    password = driver.DriverManager("keystoneauth1.plugin", "v3password", invoke_on_load=True)
    print("password plug-in:", type(password.driver).__name__)
    both = named.NamedExtensionManager("cliff.formatter.show", ["json", "shell"])
    print("named:", sorted(both.names()))
    return len(auth)


def main():
    logging.getLogger("keystoneauth").setLevel(logging.ERROR)
    for name in [n for n in os.environ if n.startswith("OS_")]:
        del os.environ[name]
    number = plug_ins()
    server = standin.start(json.loads((HERE / "images.json").read_text()))
    base = server.base
    with tempfile.TemporaryDirectory() as tmp:
        blob = Path(tmp) / "disk.raw"
        blob.write_bytes(bytes(range(256)) * 64)
        codes = [
            run(base, "image list -f csv --sort-column Name")[0],
            quiet_upload(base, blob),
            run(base, "key create deploy -f yaml")[0],
            run(base, "server create web-1 --image debian-12 --label tier=web -f json")[0],
            run(base, "server create db-1 --image alpine-3 --label tier=db -f shell")[0],
            run(base, "server list -c Name -c Status -c Labels")[0],
            run(base, "server show db-1 -c name -c status -c key_name --prefix db_ -f shell")[0],
            run(base, "server delete web-1")[0],
        ]
    _, listed = run(base, "server list -f json --status ACTIVE")
    assert [s["Name"] for s in json.loads(listed)] == ["db-1"]
    failed, _ = run(base, "server show nothing")
    missing, _ = run(base, "server lst")
    helped, text = run(base, "help server create")
    assert "--label" in text and not helped
    try:
        openstack.connect(
            load_envvars=False, load_yaml_config=False, auth_type="v3password",
            auth=dict(auth_url=f"{base}/identity/v3", username="clara", password="no",
                      project_name="demo", user_domain_name="Default",
                      project_domain_name="Default"),
        ).authorize()
    except exceptions.SDKException as exc:
        print("refused:", type(exc).__name__)
    calls = Counter(server.state.log)
    print("stand-in:", ", ".join(f"{k}={v > 0}" for k, v in sorted(calls.items())))
    server.shutdown()
    assert not any(codes) and failed and missing and number > 10
    print(f"OK {len(codes)} commands done, {len(server.state.images)} images")
    return 0


def quiet_upload(base, blob):
    out = io.StringIO()
    app = Console(base, stdout=out, stderr=io.StringIO())
    code = app.run(["image", "upload", "rescue", str(blob), "-f", "value"])
    print("upload:", out.getvalue().split())
    return code


if __name__ == "__main__":
    sys.exit(main())
