"""An inventory of a network: Nornir with plug-ins by name, hosts in YAML, tasks in threads, command output parsed by templates, Netmiko's drivers chosen by type."""
import tempfile
from pathlib import Path

import yaml
from cryptography.hazmat.primitives.asymmetric import ed25519
from netmiko import ConnectHandler
from netmiko.utilities import get_structured_data
from nornir import InitNornir
from nornir.core.filter import F
from nornir.core.task import Result
from nornir_utils.plugins.tasks.data import load_yaml
from ntc_templates.parse import parse_output
from pydantic import BaseModel

HOSTS = {"sw1": {"hostname": "10.0.0.1", "groups": ["lab"], "data": {"role": "access"}}, "sw2": {"hostname": "10.0.0.2", "groups": ["lab"], "data": {"role": "core"}}}
SHOW = """Interface              IP-Address      OK? Method Status                Protocol
GigabitEthernet0/0     10.1.1.1        YES NVRAM  up                    up
GigabitEthernet0/1     unassigned      YES NVRAM  administratively down down
"""


class Port(BaseModel):
    interface: str
    ip_address: str
    status: str


def ports(task):
    rows = parse_output(platform=task.host.platform, command="show ip interface brief", data=SHOW)
    return Result(host=task.host, result=[Port.model_validate(r) for r in rows])


def main():
    d = Path(tempfile.mkdtemp())
    for name, data in (("hosts", HOSTS), ("groups", {"lab": {"platform": "cisco_ios", "username": "u"}}), ("defaults", {"data": {"site": "x"}})):
        (d / f"{name}.yaml").write_text(yaml.safe_dump(data))
    nr = InitNornir(
        inventory={"plugin": "SimpleInventory", "options": {"host_file": str(d / "hosts.yaml"), "group_file": str(d / "groups.yaml"), "defaults_file": str(d / "defaults.yaml")}},
        runner={"plugin": "threaded", "options": {"num_workers": 2}}, logging={"enabled": False},
    )
    core = nr.filter(F(role="core"))
    got = nr.run(ports)
    loaded = core.run(load_yaml, file=str(d / "groups.yaml"))
    structured = get_structured_data(SHOW, platform="cisco_ios", command="show ip interface brief")
    try:
        ConnectHandler(device_type="cisco_ios", host="127.0.0.1", port=1, username="u", password="p", timeout=1, conn_timeout=1)
        met = "no"
    except Exception as e:
        met = type(e).__name__
    key = ed25519.Ed25519PrivateKey.generate().public_key().public_bytes_raw()
    print("OK", sorted(got), got["sw1"][0].result[1].status, list(core.inventory.hosts), loaded["sw2"][0].result["lab"]["platform"], len(structured), met, len(key))


main()
