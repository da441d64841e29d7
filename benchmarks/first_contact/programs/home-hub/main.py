"""A hub at home: the pairing and the secure session of HomeKit, accessories described, services announced and found on the loopback by Zeroconf, settings checked by Voluptuous, MQTT packets, JSON by orjson."""
import asyncio
import ipaddress
import socket

import orjson
import paho.mqtt.client as mqtt
import voluptuous as vol
from aiohomekit.crypto.chacha20poly1305 import ChaCha20Poly1305Decryptor, ChaCha20Poly1305Encryptor
from aiohomekit.crypto.srp import SrpClient, SrpServer
from aiohomekit.model import Accessories, Accessory
from aiohomekit.model.characteristics import CharacteristicsTypes
from aiohomekit.model.services import ServicesTypes
from aiohomekit.protocol.tlv import TLV
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from paho.mqtt.properties import Properties
from paho.mqtt.packettypes import PacketTypes
from zeroconf import IPVersion, ServiceInfo
from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf

SCHEMA = vol.Schema({vol.Required("room"): vol.All(str, vol.Length(min=2)), vol.Optional("heat", default=20): vol.All(vol.Coerce(float), vol.Range(5, 30)), vol.Exclusive("ip", "where"): vol.Coerce(ipaddress.ip_address)})


def pair():
    server = SrpServer("Pair-Setup", "123-45-678")
    client = SrpClient("Pair-Setup", "123-45-678")
    client.set_salt(server.get_salt())
    client.set_server_public_key(server.get_public_key_bytes())
    server.set_client_public_key(client.get_public_key_bytes())
    same = client.get_session_key() == server.get_session_key()
    ours, theirs = X25519PrivateKey.generate(), X25519PrivateKey.generate()
    shared = ours.exchange(theirs.public_key())
    key = HKDF(SHA512(), 32, b"Control-Salt", b"Control-Write-Encryption-Key").derive(shared)
    sealed = ChaCha20Poly1305Encryptor(key).encrypt(b"\x05\x00", b"\x00" * 12, b"hello")
    opened = ChaCha20Poly1305Decryptor(key).decrypt(b"\x05\x00", b"\x00" * 12, bytes(sealed))
    tlv = TLV.decode_bytes(TLV.encode_list([(TLV.kTLVType_State, TLV.M1), (TLV.kTLVType_Method, b"\x00")]))
    return same, bytes(opened), len(tlv)


def describe():
    lamp = Accessory.create_with_info(1, "Lamp", "Ada & Co", "L1", "7", "1.0")
    service = lamp.add_service(ServicesTypes.LIGHTBULB)
    service.add_char(CharacteristicsTypes.ON, value=False)
    service.add_char(CharacteristicsTypes.BRIGHTNESS, value=40)
    home = Accessories()
    home.add_accessory(lamp)
    again = Accessories.from_list(orjson.loads(home.serialize() if isinstance(home.serialize(), (bytes, str)) else orjson.dumps(home.serialize())))
    found = again.aid(1).services.first(service_type=ServicesTypes.LIGHTBULB)
    return found.value(CharacteristicsTypes.BRIGHTNESS), len(list(again.aid(1).services))


async def announce():
    zero = AsyncZeroconf(interfaces=["127.0.0.1"], ip_version=IPVersion.V4Only)
    info = ServiceInfo("_hap._tcp.local.", "lamp._hap._tcp.local.", addresses=[socket.inet_aton("127.0.0.1")], port=8080, properties={"md": "Lamp", "id": "AA:BB"}, server="lamp.local.")
    await (await zero.async_register_service(info))
    asked = AsyncServiceInfo("_hap._tcp.local.", "lamp._hap._tcp.local.")
    found = asked.load_from_cache(zero.zeroconf) or await asked.async_request(zero.zeroconf, 1500)
    await zero.async_close()
    return bool(found) and asked.properties.get(b"md")


def main():
    settings = SCHEMA({"room": "kitchen", "heat": "21.5", "ip": "10.0.0.1"})
    try:
        SCHEMA({"room": "x", "heat": 90})
    except vol.MultipleInvalid as error:
        wrong = len(error.errors)
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
    properties = Properties(PacketTypes.PUBLISH)
    properties.UserProperty = ("room", "kitchen")
    said = client.publish("home/lamp", orjson.dumps({"on": True}), qos=0, properties=properties)
    print("OK", settings["heat"], wrong, pair(), describe(), asyncio.run(announce()), mqtt.error_string(said.rc), len(properties.pack()))


main()
