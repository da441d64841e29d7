"""Watch over captured traffic: Scapy reads the packets, rules raise alerts, STIX bundles are signed and shared under a role policy with one-time codes."""
import tempfile
import uuid
from collections import Counter, defaultdict
from enum import Enum
from pathlib import Path

import casbin
import orjson
import pyotp
import stix2
import yaml
from cryptography.exceptions import InvalidSignature
from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from jinja2 import Environment, FileSystemLoader
from pydantic import BaseModel, ValidationError
from rich.console import Console
from rich.table import Table
from scapy.all import ARP, DNS, DNSQR, ICMP, IP, TCP, UDP, Ether, IPv6, Raw, conf, load_contrib, load_layer, rdpcap, wrpcap
from scapy.utils import PcapNgReader, wrpcapng
from stix2patterns.validator import run_validator

load_layer("http")
load_layer("tls")
load_contrib("mqtt")
load_contrib("modbus")
from scapy.contrib.modbus import ModbusADURequest, ModbusPDU03ReadHoldingRegistersRequest  # noqa: E402
from scapy.contrib.mqtt import MQTT, MQTTPublish  # noqa: E402
from scapy.layers.http import HTTP, HTTPRequest  # noqa: E402

HERE = Path(__file__).resolve().parent
SPACE = uuid.UUID("2f0c6b1e-6c32-4c8a-9a55-0c1d7e1a7b11")
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
MOMENT = "2024-05-01T08:00:00Z"


class Severity(str, Enum):
    low, medium, high = "low", "medium", "high"


class Rule(BaseModel):
    name: str
    severity: Severity
    protocol: str
    match: dict[str, str | int]


class Alert(BaseModel):
    rule: str
    severity: Severity
    source: str
    detail: str


def capture(folder):
    """Traffic of one morning, written as pcap and pcapng."""
    ether = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
    packets = [ether / ARP(psrc="10.0.0.5", pdst="10.0.0.1"),
               ether / IP(src="10.0.0.5", dst="10.0.0.1") / ICMP(id=7, seq=1) / b"ping",
               ether / IPv6(src="fd00::5", dst="fd00::1") / UDP(sport=5000, dport=53) / DNS(id=1, qd=DNSQR(qname="example.org", qtype="AAAA")),
               ether / IP(src="10.0.0.9", dst="10.0.0.1") / UDP(sport=5001, dport=53) / DNS(id=2, qd=DNSQR(qname="a9f3" * 10 + ".t.example.net", qtype="TXT"))]
    packets += [ether / IP(src="10.0.0.66", dst="10.0.0.1") / TCP(sport=40000, dport=p, flags="S", seq=1) for p in (22, 80, 443, 502, 1883, 8080)]
    packets += [ether / IP(src="10.0.0.7", dst="10.0.0.1") / TCP(sport=41000, dport=80, flags="PA", seq=1) / HTTP() / HTTPRequest(Method=b"POST", Path=b"/login", Host=b"intranet.test"),
                ether / IP(src="10.0.0.8", dst="10.0.0.1") / TCP(sport=41001, dport=1883, flags="PA", seq=1) / MQTT() / MQTTPublish(topic="plant/1", length=7, value=b"21.5"),
                ether / IP(src="10.0.0.8", dst="10.0.0.2") / TCP(sport=41002, dport=502, flags="PA", seq=1) / ModbusADURequest(transId=3) / ModbusPDU03ReadHoldingRegistersRequest(startAddr=16, quantity=4)]
    for number, packet in enumerate(packets):
        packet.time = 1714550400 + number
    wrpcap(str(folder / "morning.pcap"), packets)
    wrpcapng(str(folder / "morning.pcapng"), packets)
    return rdpcap(str(folder / "morning.pcap"))


def judge(rules, packets):
    ports = defaultdict(set)
    by_name = {rule.name: rule for rule in rules}
    for packet in packets:
        if packet.haslayer(DNS) and packet.haslayer(IP) and len(packet[DNSQR].qname.split(b".")[0]) >= by_name["dns-tunnel"].match["min_label"]:
            yield Alert(rule="dns-tunnel", severity=by_name["dns-tunnel"].severity, source=packet[IP].src, detail=packet[DNSQR].qname.decode()[-15:])
        if packet.haslayer(TCP) and str(packet[TCP].flags) == by_name["syn-scan"].match["flags"]:
            ports[packet[IP].src].add(packet[TCP].dport)
        if packet.haslayer(HTTPRequest) and packet[HTTPRequest].Path.decode() == by_name["cleartext-login"].match["path"]:
            yield Alert(rule="cleartext-login", severity=by_name["cleartext-login"].severity, source=packet[IP].src, detail=packet[HTTPRequest].Host.decode())
    for source, seen in ports.items():
        if len(seen) >= by_name["syn-scan"].match["min_ports"]:
            yield Alert(rule="syn-scan", severity=by_name["syn-scan"].severity, source=source, detail=f"{len(seen)} ports")


def bundle(alerts):
    def ident(kind, name):
        return f"{kind}--{uuid.uuid5(SPACE, name).hex[:8]}-0000-4000-8000-{uuid.uuid5(SPACE, name).hex[-12:]}"
    us = stix2.Identity(id=ident("identity", "us"), name="Watch office", identity_class="organization", created=MOMENT, modified=MOMENT)
    store = stix2.MemoryStore([us])
    for alert in alerts:
        pattern = f"[ipv4-addr:value = '{alert.source}'] REPEATS 2 TIMES WITHIN 600 SECONDS"
        assert not run_validator(pattern, stix_version="2.1")
        indicator = stix2.Indicator(id=ident("indicator", alert.rule), name=alert.rule, pattern=pattern, pattern_type="stix", valid_from=MOMENT, created=MOMENT, modified=MOMENT,
                                    created_by_ref=us, labels=[alert.severity.value], object_marking_refs=[stix2.TLP_AMBER])
        address = stix2.IPv4Address(value=alert.source)
        store.add([indicator, address, stix2.Relationship(indicator, "indicates", stix2.Malware(id=ident("malware", alert.rule), name=alert.rule, is_family=False, created=MOMENT, modified=MOMENT),
                                                          id=ident("relationship", alert.rule), created=MOMENT, modified=MOMENT)])
    high = store.query([stix2.Filter("type", "=", "indicator"), stix2.Filter("labels", "contains", "high")])
    everything = sorted(store.query(), key=lambda o: o["id"])
    return stix2.Bundle(*everything, id=ident("bundle", "morning"), allow_custom=True), [i.name for i in high]


def share(text):
    """Signs and seals the bundle; a changed one is refused."""
    key = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    pem = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    signature = key.sign(text)
    public = serialization.load_pem_public_key(pem)
    public.verify(signature, text)
    results = []
    for attempt, error in ((lambda: public.verify(signature, text + b" "), InvalidSignature), (lambda: Fernet(Fernet.generate_key()).decrypt(b"gAAAAA=="), InvalidToken)):
        try:
            attempt()
        except error as exc:
            results.append(type(exc).__name__)
    return len(signature), results


def main():
    conf.verb = 0
    rules = [Rule.model_validate(r) for r in yaml.safe_load((HERE / "rules.yaml").read_text())]
    with tempfile.TemporaryDirectory() as folder:
        packets = capture(Path(folder))
        with PcapNgReader(str(Path(folder) / "morning.pcapng")) as reader:
            again = sum(1 for _ in reader)
    layers = Counter(packet.lastlayer().name for packet in packets)
    print(len(packets), again, dict(sorted(layers.items())))
    print(packets[-1].summary(), "|", packets[-2][MQTT].summary(), "|", packets[2].sprintf("%IPv6.src%"), packets[2][DNSQR].sprintf("%DNSQR.qtype%"))
    alerts = sorted(judge(rules, packets), key=lambda a: list(Severity).index(a.severity), reverse=True)
    print(Environment(loader=FileSystemLoader(HERE), trim_blocks=False).get_template("report.md.j2").render(alerts=[a.model_dump(mode="json") for a in alerts]).strip())
    shared, high = bundle(alerts)
    parsed = stix2.parse(shared.serialize(), allow_custom=True)
    print(Counter(o.type for o in parsed.objects).most_common(3), high, share(orjson.dumps(orjson.loads(shared.serialize()), option=orjson.OPT_SORT_KEYS)))
    enforcer = casbin.Enforcer(str(HERE / "policy.conf"), str(HERE / "policy.csv"))
    code = pyotp.TOTP(SECRET).at(1714550400)
    table = Table("who", "read", "publish", title="Access")
    for who in ("mira", "theo", "eve"):
        table.add_row(who, *(str(enforcer.enforce(who, obj, act)) for obj, act in (("/captures/morning.pcap", "read"), ("/bundles/1", "publish"))))
    Console(width=60, force_terminal=False).print(table)
    for attempt in (lambda: Rule(name="x", severity="urgent", protocol="TCP", match={}), lambda: stix2.Indicator(pattern="[broken", pattern_type="stix", valid_from=MOMENT)):
        try:
            attempt()
        except (ValidationError, stix2.exceptions.InvalidValueError) as exc:
            print("rejected", type(exc).__name__)
    print("OK", len(alerts), "alerts", code, pyotp.TOTP(SECRET).verify(code, for_time=1714550410), sorted(IP(bytes(Raw(bytes(packets[1][IP])))).fields)[:3])


if __name__ == "__main__":
    main()
