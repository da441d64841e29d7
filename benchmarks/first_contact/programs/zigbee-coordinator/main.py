"""A Zigbee coordinator by zigpy: the devices join and are asked who they are, the handlers of zhaquirks take over, readings are kept in a database and the network in a backup."""
import asyncio
import json
import tempfile
from pathlib import Path

import jsonschema
import zhaquirks
import zigpy.config as conf
import zigpy.types as t
from cryptography.hazmat.primitives.ciphers.aead import AESCCM
from zigpy.backups import NetworkBackup

from radio import DEVICES, MemoryRadio

SCHEMA = {
    "type": "object",
    "required": ["metadata", "coordinator_ieee", "pan_id", "network_key", "channel"],
    "properties": {
        "channel": {"type": "integer", "minimum": 11, "maximum": 26},
        "pan_id": {"type": "string", "pattern": "^[0-9a-f]{4}$"},
        "network_key": {"type": "object", "required": ["key"], "properties": {"key": {"type": "string", "pattern": "^[0-9a-f]{32}$"}}},
    },
}
TEMPERATURE, PRESSURE, HUMIDITY, ON_OFF = 0x0402, 0x0403, 0x0405, 0x0006


class Log:
    """Listens to the application and to the clusters of the remote control."""

    def __init__(self):
        self.joined, self.ready, self.pressed = [], [], []

    def device_joined(self, device):
        self.joined.append(str(device.ieee))

    def device_initialized(self, device):
        self.ready.append(device.model)

    def cluster_command(self, tsn, command_id, args):
        self.pressed.append(command_id)


def settings(folder):
    return {
        conf.CONF_DATABASE: str(folder / "zigbee.db"),
        conf.CONF_DEVICE: {conf.CONF_DEVICE_PATH: "/dev/null"},
        conf.CONF_NWK: {conf.CONF_NWK_CHANNEL: 15, conf.CONF_NWK_PAN_ID: 0x1234, conf.CONF_NWK_KEY: list(range(16)), conf.CONF_NWK_EXTENDED_PAN_ID: "11:22:33:44:55:66:77:88"},
        conf.CONF_OTA: {conf.CONF_OTA_ENABLED: False},
        conf.CONF_TOPO_SCAN_ENABLED: False,
        conf.CONF_NWK_BACKUP_ENABLED: False,
        conf.CONF_WATCHDOG_ENABLED: False,
    }


def report(app, nwk, cluster, attribute, kind, value):
    app.hear(nwk, 260, 1, cluster, bytes([0x18, 1, 0x0A]) + attribute.to_bytes(2, "little") + bytes([kind]) + value)


def readings(device):
    ep = device.endpoints[1]
    return [ep.in_clusters[c].get("measured_value") for c in (TEMPERATURE, PRESSURE, HUMIDITY)] + [ep.in_clusters[1].get("battery_voltage")]


async def evening(folder):
    app = await MemoryRadio.new(settings(folder), auto_form=True)
    log = Log()
    app.add_listener(log)
    for nwk, device in DEVICES.items():
        app.handle_join(t.NWK(nwk), t.EUI64.convert(device["ieee"]), t.NWK(0))
    async with asyncio.timeout(20):
        while len(log.ready) < len(DEVICES):
            await asyncio.sleep(0.05)
    sensor, remote = (app.get_device(nwk=t.NWK(nwk)) for nwk in DEVICES)
    remote.endpoints[1].out_clusters[ON_OFF].add_listener(log)
    report(app, sensor.nwk, TEMPERATURE, 0, 0x29, (2150).to_bytes(2, "little"))
    report(app, sensor.nwk, PRESSURE, 0, 0x29, (1013).to_bytes(2, "little"))
    report(app, sensor.nwk, HUMIDITY, 0, 0x21, (4521).to_bytes(2, "little"))
    report(app, sensor.nwk, 0, 0xFF01, 0x42, bytes([4, 0x01, 0x21]) + (3005).to_bytes(2, "little"))
    app.hear(remote.nwk, 260, 1, ON_OFF, bytes([0x01, 9, 0x02]))
    await asyncio.sleep(0.2)
    handlers = [type(d).__module__ + "." + type(d).__name__ for d in (sensor, remote)]
    triggers = len(remote.device_automation_triggers)
    backup = await app.backups.create_backup()
    values = readings(sensor)
    await app.shutdown()
    return log, handlers, triggers, values, backup.as_open_coordinator_json()


async def morning(folder):
    app = await MemoryRadio.new(settings(folder))
    sensor = app.get_device(ieee=t.EUI64.convert(DEVICES[0x1A2B]["ieee"]))
    result = readings(sensor), type(sensor).__name__, len(app.devices), len(app.backups.backups)
    await app.shutdown()
    return result


def main():
    zhaquirks.setup()
    with tempfile.TemporaryDirectory() as folder:
        log, handlers, triggers, values, backup = asyncio.run(evening(Path(folder)))
        kept = asyncio.run(morning(Path(folder)))
    jsonschema.Draft7Validator(SCHEMA).validate(backup)
    again = NetworkBackup.from_dict(json.loads(json.dumps(backup)))
    key = again.network_info.network_key.key.serialize()
    frame = AESCCM(key, tag_length=4).encrypt(bytes(13), b"lamp on", b"header")
    print("OK", len(log.joined), sorted(log.ready), log.pressed, handlers, triggers, values, kept, backup["channel"], frame.hex())


if __name__ == "__main__":
    main()
