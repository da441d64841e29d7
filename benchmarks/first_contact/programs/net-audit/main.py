"""net-audit: facts, compliance and configuration checks over network devices."""
import hashlib
import json
import logging
import os
import sys
import tempfile
from io import StringIO
from pathlib import Path

import jinja2
import netaddr
import textfsm
import yaml
from cryptography.fernet import Fernet
from ciscoconfparse2 import CiscoConfParse
from napalm import get_network_driver
from napalm.base import exceptions, helpers, validate
from napalm.base.mock import MockDriver
from ncclient import manager
from netmiko.utilities import get_structured_data
from ttp import ttp
from ttp_templates import get_template

HERE = Path(__file__).resolve().parent
REPORT = jinja2.Template(
    "{% for d in devices %}{{ '%-6s' % d.hostname }} {{ d.vendor }} {{ d.os_version }} "
    "{{ d.interface_list | join('/') }}\n{% endfor %}", keep_trailing_newline=False)


class Vault:
    """Device passwords, encrypted in a file."""

    def __init__(self, path):
        self.path, self.fernet = path, Fernet(Fernet.generate_key())

    def save(self, secrets):
        self.path.write_bytes(self.fernet.encrypt(json.dumps(secrets).encode()))

    def password(self, name):
        return json.loads(self.fernet.decrypt(self.path.read_bytes()))[name]


def drivers():
    found = {}
    for name in ("ios", "eos", "nxos_ssh", "junos", "iosxr", "mock", "shed"):
        driver = get_network_driver(name)
        found[name] = driver.__name__
    print("drivers:", ", ".join(f"{k}={v}" for k, v in found.items()))
    for name in ("nosuch", ""):
        try:
            get_network_driver(name)
        except (exceptions.ModuleImportError, ValueError) as exc:
            print(f"driver {name!r}: {type(exc).__name__}")
    return found


def connect(entry, vault):
    driver = get_network_driver(entry["driver"])
    return driver(entry["name"], "audit", vault.password(entry["name"]),
                  optional_args={"path": str(HERE / entry["path"])})


def collect(device):
    data = {"facts": device.get_facts(), "ips": device.get_interfaces_ip()}
    if isinstance(device, MockDriver):
        data["bgp"] = device.get_bgp_neighbors()
        try:
            data["lldp"] = device.get_lldp_neighbors()
        except exceptions.CommandErrorException as exc:
            data["lldp"] = str(exc)
        data["cli"] = device.cli(["show version", "show interfaces"])
    return data


def parse_cli(entry, outputs):
    with open(HERE / "parsers" / f"{entry['parser']}.textfsm") as handle:
        table = textfsm.TextFSM(handle)
        row = dict(zip(table.header, table.ParseText(outputs["show version"])[0]))
    parser = ttp(data=outputs["show interfaces"],
                 template=(HERE / "parsers/ttp/interfaces.txt").read_text())
    parser.parse()
    interfaces = parser.result()[0][0]["interfaces"]
    print(f"   {row['HOST']}: {row['VERSION']} {row['SERIAL']}")
    for item in interfaces:
        print(f"   {item['name']}: {item['description']} mtu {item['mtu']} {item['line']}")
    csv = ttp(data=outputs["show interfaces"],
              template=(HERE / "parsers/ttp/interfaces.txt").read_text())
    csv.parse()
    assert json.loads(csv.result(format="json")[0])[0]["interfaces"] == interfaces
    return interfaces


def addresses(collected):
    """Which networks have two ends, and which addresses collide."""
    seen, collisions = {}, []
    for name, data in collected.items():
        for families in data["ips"].values():
            for address, info in families.get("ipv4", {}).items():
                net = netaddr.IPNetwork(f"{address}/{info['prefix_length']}").cidr
                for other, taken in seen.get(net, []):
                    if taken == address:
                        collisions.append(f"{address} on {other} and {name}")
                seen.setdefault(net, []).append((name, address))
    for net, ends in sorted(seen.items()):
        print(f"{net}: {', '.join(f'{n}={a}' for n, a in ends)}")
    print("collisions:", "; ".join(sorted(collisions)))
    print("summary:", netaddr.cidr_merge(list(seen)), helpers.mac("0011.2233.4455"),
          netaddr.EUI("00-00-0C-11-22-33").oui.registration().org)
    return collisions


def harden():
    parse = CiscoConfParse(str(HERE / "configs" / "shed1.cfg"), syntax="ios")
    for vty in parse.find_objects(r"^line vty"):
        for child in vty.children:
            if "telnet" in child.text:
                child.re_sub(r"telnet ", "")
    for item in parse.find_parent_objects_wo_child(r"^interface", r"description"):
        item.insert_after(" description unused")
    parse.commit()
    for obj in parse.find_objects(r"^(interface|line)"):
        print("   ", obj.text, "|", " |".join(c.text for c in obj.children))
    return parse


def comply(device, source):
    report = device.compliance_report(validation_file=source)
    for part, detail in report.items():
        if isinstance(detail, dict):
            print(f"   {part}: {'complies' if detail['complies'] else 'differs'} {sorted(detail.get('present', {}))}")
    return report["complies"]


def known_formats():
    out = StringIO("Interface IP-Address OK? Method Status Protocol\n"
                   "Vlan1 10.1.1.1 YES NVRAM up up\n").getvalue()
    rows = get_structured_data(out, platform="cisco_ios", command="show ip int brief")
    print("ntc:", rows[0]["interface"], rows[0]["status"])
    print("ttp library:", len(get_template(platform="cisco_ios", command="show interfaces") or "") > 0)
    handler = manager.make_device_handler({"name": "iosxe"})
    print("netconf:", type(handler).__name__, len(handler.get_capabilities()) > 5)
    print("compare:", validate.compare({"a": "<10"}, {"a": 12})["complies"])


def main():
    logging.getLogger("ncclient").setLevel(logging.ERROR)
    sys.path.insert(0, str(HERE))
    drivers()
    entries = yaml.safe_load((HERE / "devices.yaml").read_text())
    collected, complies = {}, {}
    with tempfile.TemporaryDirectory() as tmp:
        vault = Vault(Path(tmp) / "vault.bin")
        vault.save({e["name"]: hashlib.sha256(e["name"].encode()).hexdigest()[:12] for e in entries})
        for entry in entries:
            with connect(entry, vault) as device:
                data = collected[entry["name"]] = collect(device)
                print(f"{entry['name']}: {sorted(data)} lldp={data.get('lldp')}")
                if "parser" in entry:
                    parse_cli(entry, data["cli"])
                    complies[entry["name"]] = comply(device, str(HERE / "policies/release.yml"))
                    device.load_merge_candidate(config="ntp server 10.9.9.9")
                    print("   diff:", device.compare_config())
                    device.commit_config()
        try:
            missing = {"name": "shed1", "driver": "shed", "path": "configs/no.cfg"}
            connect(missing, vault).open()
        except exceptions.ConnectionException as exc:
            print("refused:", exc)
    print(REPORT.render(devices=[d["facts"] for d in collected.values()]).rstrip())
    found = addresses(collected)
    harden()
    known_formats()
    assert complies == {"edge1": True, "core1": False}, complies
    assert os.getcwd()
    print(f"OK {len(collected)} devices, {len(found)} collisions")
    return 0


if __name__ == "__main__":
    sys.exit(main())
