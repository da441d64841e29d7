"""estate-build: host configuration built from an inventory by declared pipelines."""
import glob
import io
import logging
import logging.config
import sys
import tempfile
from pathlib import Path

import reclass_rs
from pypyr import log, pipelinerunner
from pypyr.config import config as pypyr_config
from pypyr.errors import KeyNotInContextError
from pypyr.moduleloader import add_sys_path
from ruamel.yaml import YAML

HERE = Path(__file__).resolve().parent
CAPTURED = io.StringIO()
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"short": {"format": "%(levelname)s %(name)s %(message)s"}},
    "handlers": {
        "memory": {"class": "logging.StreamHandler", "formatter": "short", "stream": CAPTURED}
    },
    "loggers": {"pypyr": {"handlers": ["memory"], "level": "INFO", "propagate": False}},
}


def load_inventory():
    """Render the whole inventory with the Rust implementation of reclass."""
    reclass = reclass_rs.Reclass.from_config_file(
        str(HERE / "inventory"), "reclass-config.yml"
    )
    inventory = reclass.inventory()
    for cls, nodes in sorted(inventory.classes.items()):
        print(f"class {cls}: {', '.join(sorted(nodes))}")
    for app, nodes in sorted(inventory.applications.items()):
        print(f"application {app}: {', '.join(sorted(nodes))}")
    single = reclass.nodeinfo("berlin.web1")
    print("one node:", single.parameters["estate"]["fqdn"], single.parameters["vhost"])
    return reclass, inventory


def files_of(folder, short):
    return glob.glob(f"{folder}/{short}*")


def build(inventory, out, node, *words):
    context = pipelinerunner.run(
        pipeline_name=str(HERE / "pipelines" / "build"),
        args_in=[node, *words],
        dict_in={"inventory": inventory, "outDir": str(out), "files": files_of},
        py_dir=str(HERE),
    )
    print(f"{context['status']} after {context['attempts']} attempts")
    print("   classes:", " ".join(context["facts_classes"]))
    print("   packages:", " ".join(context["facts"]["packages"]))
    print("   rendered:", " ".join(context["rendered"]))
    print("   rules:", "; ".join(context["rules"]))
    print("   seal:", context["seal"])
    assert context["reread"]["estate"]["fqdn"] == context["facts"]["estate"]["fqdn"]
    return context


def broken_inventory(tmp):
    """A reference that leads nowhere must be reported, not rendered."""
    base = tmp / "broken"
    for name in ("nodes", "classes"):
        (base / name).mkdir(parents=True)
    yaml = YAML()
    with open(base / "nodes" / "n1.yml", "w") as handle:
        yaml.dump({"classes": ["gone"], "parameters": {"a": "${no:where}"}}, handle)
    options = {"nodes_uri": "nodes", "classes_uri": "classes"}
    failures = 0
    for ignore in (False, True):
        conf = reclass_rs.Config.from_dict(
            str(base), {**options, "ignore_class_notfound": ignore}
        )
        try:
            reclass_rs.Reclass.from_config(conf).nodeinfo("n1")
        except ValueError as exc:
            failures += 1
            print(f"broken (ignore={ignore}):", str(exc).splitlines()[0][:60])
    return failures


def main():
    logging.config.dictConfig(LOGGING)
    logging.addLevelName(25, "NOTIFY")
    add_sys_path(str(HERE))
    reclass, inventory = load_inventory()
    with tempfile.TemporaryDirectory() as name:
        tmp = Path(name)
        out = tmp / "out"
        out.mkdir()
        built = [
            build(inventory, out, "berlin/web1"),
            build(inventory, out, "berlin/db1", "mode=quick"),
            build(inventory, out, "lyon/all1"),
        ]
        for path in sorted(out.iterdir()):
            print(f"--- {path.name}")
            if path.suffix != ".json":
                print(path.read_text().rstrip())
        try:
            pipelinerunner.run(
                str(HERE / "pipelines" / "build"), args_in=["nowhere"], py_dir=str(HERE)
            )
        except KeyNotInContextError as exc:
            print("refused:", type(exc).__name__)
        for severity in (3, 9):
            context = pipelinerunner.run(
                str(HERE / "pipelines" / "trouble"), dict_in={"severity": severity}
            )
            error = context["runErrors"][0]
            print(f"severity {severity}: {context['said']} ({error['name']}: {error['description']})")
        failures = broken_inventory(tmp)
    retries = CAPTURED.getvalue().count("retry:")
    print("log has retries:", retries > 0, "| errors:", CAPTURED.getvalue().count("ERROR") > 0)
    print("pypyr encoding default:", pypyr_config.default_encoding)
    assert log is not None and failures == 2
    print(f"OK {len(built)} of {len(inventory.nodes)} nodes built")
    return 0


if __name__ == "__main__":
    sys.exit(main())
