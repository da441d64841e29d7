"""The parts of the host, each a deploy that can be used for itself."""
from pathlib import Path

from pyinfra import host
from pyinfra.api import FactBase, deploy, operation
from pyinfra.operations import files, server

HERE = Path(__file__).resolve().parent


class SectionNames(FactBase):
    """The sections of an INI file."""

    def command(self, path):
        return f"grep '^\\[' {path} || true"

    def process(self, output):
        return [line.strip("[]\n ") for line in output]


@operation()
def stamp(path, text):
    """Write a line once; yields no command when it is there."""
    if not host.get_fact(SectionNames, path=path):
        yield f"echo '[{text}]' >> {path}"
    else:
        host.noop(f"{path} is stamped")


@deploy("Base", data_defaults={"app_name": "shop", "workers": 2})
def base(root):
    files.directory(name="Make the folders", path=f"{root}/etc", mode="750")
    files.put(name="Install the key", src=f"{root}/in/tls.crt", dest=f"{root}/etc/tls.crt", mode="644")
    files.sync(name="Install the greetings", src=str(HERE / "files" / "motd.d"), dest=f"{root}/etc/motd.d")
    files.template(
        name="Write the settings",
        src=str(HERE / "templates" / "app.conf.j2"),
        dest=f"{root}/etc/app.conf",
        app_name=host.data.app_name,
        workers=host.data.workers,
        domains=["Shop.Example.org", "example.org"],
    )
    files.line(name="Allow the office", path=f"{root}/etc/allow", line="10.0.0.0/8", ensure_newline=True)
    stamp(name="Stamp the log", path=f"{root}/etc/stamp", text="done")


@deploy("Release")
def release(root, version):
    unpack = server.shell(name="Unpack the release", commands=[f"mkdir -p {root}/releases/{version}", f"echo {version} > {root}/releases/{version}/VERSION"])
    files.link(name="Point at the release", path=f"{root}/current", target=f"{root}/releases/{version}")
    server.shell(name="Restart", commands=[f"cat {root}/current/VERSION >> {root}/restarts"], _if=unpack.did_change)
