"""A driver for the box in the shed: it only has a configuration file."""
from pathlib import Path

from ciscoconfparse2 import CiscoConfParse
import napalm.base
from napalm.base.exceptions import ConnectionException
from napalm.base.helpers import canonical_interface_name


class ShedDriver(napalm.base.NetworkDriver):
    def __init__(self, hostname, username, password, timeout=60, optional_args=None):
        self.hostname = hostname
        self.path = Path((optional_args or {})["path"])
        self.parsed = None

    def open(self):
        if not self.path.exists():
            raise ConnectionException(f"nothing at {self.hostname}")
        self.parsed = CiscoConfParse(self.path.read_text().splitlines(), syntax="ios")

    def close(self):
        self.parsed = None

    def get_facts(self):
        host = self.parsed.find_objects(r"^hostname")[0].text.split()[1]
        names = [i.text.split()[1] for i in self.parsed.find_objects(r"^interface")]
        return {"hostname": host, "vendor": "Shed", "model": "box", "os_version": "1",
                "serial_number": "-", "fqdn": host, "uptime": 1.0,
                "interface_list": [canonical_interface_name(n) for n in names]}

    def get_interfaces_ip(self):
        found = {}
        for item in self.parsed.find_objects(r"^interface"):
            for child in item.children:
                if child.text.strip().startswith("ip address"):
                    address, mask = child.text.split()[2:4]
                    bits = sum(bin(int(part)).count("1") for part in mask.split("."))
                    found[item.text.split()[1]] = {"ipv4": {address: {"prefix_length": bits}}}
        return found

    def get_config(self, retrieve="all", full=False, sanitized=False, format="text"):
        text = self.path.read_text()
        return {"running": text, "startup": text, "candidate": ""}
