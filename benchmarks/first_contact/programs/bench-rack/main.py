"""A test bench: VISA instruments in a simulator, a PyMeasure procedure, an SNMP agent in the process, KNX telegrams."""
import asyncio
import logging
import socket
import tempfile
import warnings
from pathlib import Path

import pyvisa
from pint import UnitRegistry
from pydantic import BaseModel, Field, ValidationError
from pymeasure.experiment import FloatParameter, IntegerParameter, Procedure, Results
from pymeasure.experiment.workers import Worker
from pymeasure.instruments import Channel, Instrument, SCPIMixin
from pymeasure.instruments.hp import HP34401A
from pymeasure.instruments.validators import strict_range
from pysnmp.carrier.asyncio.dgram import udp
from pysnmp.entity import config, engine
from pysnmp.entity.rfc3413 import cmdrsp, context
from pysnmp.hlapi.v3arch.asyncio import (
    CommunityData, ContextData, ObjectIdentity, ObjectType, OctetString, SnmpEngine, UdpTransportTarget,
    UsmUserData, get_cmd, set_cmd, usmAesCfb128Protocol, usmHMAC192SHA256AuthProtocol, walk_cmd)
from pysnmp.smi.error import SmiError
from rich.console import Console
from rich.table import Table
from xknx import XKNX
from xknx.devices import Light, Sensor
from xknx.dpt import DPTArray, DPTBase, DPTBinary, DPTTemperature
from xknx.exceptions import ConversionError
from xknx.telegram import GroupAddress, IndividualAddress, Telegram, TelegramDirection
from xknx.telegram.apci import GroupValueWrite

HERE = Path(__file__).resolve().parent
warnings.simplefilter("ignore")
logging.disable(logging.ERROR)


class Rail(Channel):
    volts = Channel.control("SOUR{ch}:VOLT?", "SOUR{ch}:VOLT %.3f", "Control the rail", validator=strict_range, values=(0, 30), check_set_errors=True)

    def check_set_errors(self):
        return [self.read()]


class Supply(SCPIMixin, Instrument):
    rail_1 = Instrument.ChannelCreator(Rail, 1)
    rail_2 = Instrument.ChannelCreator(Rail, 2)
    output = Instrument.control("OUTP?", "OUTP %d", "Control the output", cast=int)

    def __init__(self, adapter, name="Acme supply", **kwargs):
        super().__init__(adapter, name, **kwargs)


class Reading(BaseModel):
    rail: int = Field(ge=1, le=2)
    volts: float = Field(allow_inf_nan=False)
    unit: str = "volt"


class Ramp(Procedure):
    steps = IntegerParameter("Steps", default=4, minimum=1)
    top = FloatParameter("Top", units="V", default=12.0)
    DATA_COLUMNS = ["Set (V)", "Read (V)"]

    def execute(self):
        supply = Supply("TCPIP0::bench.local::inst0::INSTR", visa_library=f"{HERE / 'instruments.yaml'}@sim", read_termination="\n", write_termination="\n")
        for n in range(self.steps):
            supply.rail_1.volts = self.top * n / self.steps
            self.emit("results", {"Set (V)": self.top * n / self.steps, "Read (V)": supply.rail_1.volts})
            self.emit("progress", 100 * n / self.steps)
        supply.shutdown()


def visa():
    manager = pyvisa.ResourceManager(f"{HERE / 'instruments.yaml'}@sim")
    print("resources", sorted(manager.list_resources("?*")), manager.list_resources("GPIB?*"))
    raw = manager.open_resource("ASRL3::INSTR", read_termination="\n", write_termination="\r\n")
    print(type(raw).__name__, raw.query("*IDN?"), raw.query("SOUR2:VOLT 55.000"), raw.query_ascii_values("SOUR2:VOLT?"), raw.query("BOGUS?"))
    raw.close()
    try:
        manager.open_resource("GPIB0::9::INSTR")
    except (pyvisa.VisaIOError, ValueError) as error:
        print("visa refused", type(error).__name__)
    meter = HP34401A("GPIB0::22::INSTR", visa_library=f"{HERE / 'instruments.yaml'}@sim", read_termination="\n", write_termination="\n")
    meter.nplc = 1
    print("meter", meter.function_, meter.reading, meter.nplc, meter.terminals_used)
    supply = Supply("TCPIP0::bench.local::inst0::INSTR", visa_library=f"{HERE / 'instruments.yaml'}@sim", read_termination="\n", write_termination="\n")
    supply.rail_2.volts = 3.3
    supply.output = 1
    try:
        supply.rail_2.volts = 99
    except ValueError as error:
        print("supply refused", str(error)[:24])
    ureg = UnitRegistry()
    reading = Reading(rail=2, volts=supply.rail_2.volts)
    power = (reading.volts * ureg(reading.unit) * ureg("120 mA")).to("mW")
    print("supply", supply.id, supply.output, f"{power:.1f~P}", ureg.Quantity(25, "degC").to("kelvin").magnitude)
    try:
        Reading(rail=3, volts=float("nan"))
    except ValidationError as error:
        print("reading refused", [e["type"] for e in error.errors()])


def ramp(folder):
    procedure = Ramp(steps=4, top=10.0)
    results = Results(procedure, str(Path(folder) / "ramp.csv"))
    worker = Worker(results)
    worker.start()
    worker.join(timeout=30)
    again = Results.load(str(Path(folder) / "ramp.csv"))
    table = Table("set", "read", title=f"ramp to {again.parameters['top'].value} V")
    for _, row in again.data.iterrows():
        table.add_row(f"{row['Set (V)']:.2f}", f"{row['Read (V)']:.2f}")
    Console(width=60, color_system=None).print(table)


def free_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def agent(port):
    snmp = engine.SnmpEngine()
    config.add_transport(snmp, udp.DOMAIN_NAME, udp.UdpTransport().open_server_mode(("127.0.0.1", port)))
    config.add_v1_system(snmp, "area", "public")
    config.add_v3_user(snmp, "bench", config.USM_AUTH_HMAC192_SHA256, "authentic", config.USM_PRIV_CFB128_AES, "secretive")
    for model, name, level in ((2, "area", "noAuthNoPriv"), (3, "bench", "authPriv")):
        config.add_vacm_user(snmp, model, name, level, (1, 3, 6, 1, 2, 1), (1, 3, 6, 1, 2, 1))
    where = context.SnmpContext(snmp)
    for responder in (cmdrsp.GetCommandResponder, cmdrsp.SetCommandResponder, cmdrsp.NextCommandResponder, cmdrsp.BulkCommandResponder):
        responder(snmp, where)
    return snmp


async def network():
    port = free_port()
    server = agent(port)
    client = SnmpEngine()
    target = await UdpTransportTarget.create(("127.0.0.1", port), timeout=5, retries=2)
    user = UsmUserData("bench", "authentic", "secretive", authProtocol=usmHMAC192SHA256AuthProtocol, privProtocol=usmAesCfb128Protocol)
    for who in (CommunityData("public"), user):
        where = ObjectType(ObjectIdentity("SNMPv2-MIB", "sysLocation", 0), OctetString(f"rack of {type(who).__name__}"))
        error, status, _, _ = await set_cmd(client, who, target, ContextData(), where)
        print("set", error, int(status))
        error, status, _, found = await get_cmd(client, who, target, ContextData(), ObjectType(ObjectIdentity("SNMPv2-MIB", "sysLocation", 0)))
        print("get", [v.prettyPrint() for v in found])
    seen = []
    async for error, status, _, found in walk_cmd(client, CommunityData("public"), target, ContextData(), ObjectType(ObjectIdentity("SNMPv2-MIB", "snmp")), lexicographicMode=False):
        seen += [v[0].prettyPrint().split("::")[1] for v in found]
    print("walk", len(seen), seen[0], seen[-1])
    error, _, _, _ = await get_cmd(client, UsmUserData("nobody"), target, ContextData(), ObjectType(ObjectIdentity("SNMPv2-MIB", "sysName", 0)))
    print("get refused", error)
    try:
        await get_cmd(client, CommunityData("public"), target, ContextData(), ObjectType(ObjectIdentity("NO-SUCH-MIB", "x", 0)))
    except SmiError as error:
        print("mib refused", type(error).__name__)
    client.close_dispatcher()
    server.close_dispatcher()


async def house():
    xknx = XKNX()
    lamp = Light(xknx, name="lamp", group_address_switch="1/1/1", group_address_brightness="1/1/2")
    sensor = Sensor(xknx, name="attic", group_address_state="2/0/1", value_type="temperature")
    for device in (lamp, sensor):
        xknx.devices.async_add(device)
    for address, value in (("1/1/1", DPTBinary(1)), ("1/1/2", DPTArray(128)), ("2/0/1", DPTTemperature.to_knx(21.5))):
        telegram = Telegram(GroupAddress(address), TelegramDirection.INCOMING, GroupValueWrite(value), IndividualAddress("1.1.9"))
        xknx.devices.process(telegram)
    print("knx", lamp.state, lamp.current_brightness, sensor.resolve_state(), sensor.unit_of_measurement())
    kinds = ["humidity", "power", "wind_speed_ms", "color_rgb", "string", "hvac_mode"]
    print("dpt", [(k, t.dpt_number_str()) if (t := DPTBase.parse_transcoder(k)) else k for k in kinds])
    try:
        DPTTemperature.to_knx(-400)
    except ConversionError as error:
        print("knx refused", type(error).__name__)
    print("queued", xknx.telegrams.qsize(), [d.name for d in xknx.devices])


def main():
    with tempfile.TemporaryDirectory() as folder:
        visa()
        ramp(folder)
    asyncio.run(network())
    asyncio.run(house())
    print("OK bench")


if __name__ == "__main__":
    main()
