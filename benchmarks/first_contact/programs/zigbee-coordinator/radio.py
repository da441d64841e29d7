"""A radio made of memory: it answers for the sensors of DEVICES as a coordinator stick with a network behind it would."""
import asyncio

import zigpy.types as t
import zigpy.zdo.types as zdo_t
from zigpy.application import ControllerApplication
from zigpy.device import Device
from zigpy.exceptions import NetworkNotFormed
from zigpy.zcl import foundation
from zhaquirks.xiaomi import XIAOMI_NODE_DESC

DEVICES = {
    0x1A2B: {
        "ieee": "00:15:8d:00:01:02:03:04",
        "desc": zdo_t.SizePrefixedSimpleDescriptor(1, 260, 0x0302, 1, [0x0000, 0x0003, 0x0402, 0x0403, 0x0405, 0xFFFF], [0x0000, 0x0004, 0xFFFF]),
        "basic": {4: "LUMI", 5: "lumi.weather"},
    },
    0x3C4D: {
        "ieee": "00:0b:57:ff:fe:aa:bb:cc",
        "desc": zdo_t.SizePrefixedSimpleDescriptor(1, 49246, 0x0830, 2, [0, 1, 3, 9, 2821, 4096], [3, 4, 5, 6, 8, 25, 4096]),
        "basic": {4: "IKEA of Sweden", 5: "TRADFRI remote control"},
    },
}
NODE = t.EUI64.convert("00:12:4b:00:11:22:33:44")


class MemoryRadio(ControllerApplication):
    stick = None  # what the stick remembers between two runs: its network

    async def connect(self):
        self.sent = []

    async def disconnect(self):
        pass

    async def start_network(self):
        own = Device(self, self.state.node_info.ieee, self.state.node_info.nwk)
        own.node_desc = zdo_t.NodeDescriptor(logical_type=zdo_t.LogicalType.Coordinator, mac_capability_flags=0x8E)
        own.model, own.manufacturer = "Memory", "None"
        self.devices[own.ieee] = own
        await self.register_endpoints()

    async def add_endpoint(self, descriptor):
        endpoint = self.devices[self.state.node_info.ieee].add_endpoint(descriptor.endpoint)
        endpoint.profile_id, endpoint.device_type = descriptor.profile, descriptor.device_type

    async def force_remove(self, dev):
        pass

    async def permit_ncp(self, time_s=60):
        pass

    async def permit_with_link_key(self, node, link_key, time_s=60):
        pass

    async def reset_network_info(self):
        type(self).stick = None

    async def write_network_info(self, *, network_info, node_info):
        type(self).stick = network_info.replace(pan_id=t.PanId(network_info.pan_id), nwk_manager_id=t.NWK(0)), node_info.replace(ieee=NODE, nwk=t.NWK(0))

    async def load_network_info(self, *, load_devices=False):
        if self.stick is None:
            raise NetworkNotFormed
        self.state.network_info, self.state.node_info = self.stick

    async def send_packet(self, packet):
        self.sent.append(packet.cluster_id)
        device = DEVICES.get(packet.dst.address)
        if device is not None:
            asyncio.get_running_loop().call_soon(self.answer, device, packet)

    def answer(self, device, packet):
        nwk, data = packet.dst.address, packet.data.serialize()
        if packet.dst_ep == 0:
            answers = {
                zdo_t.ZDOCmd.Node_Desc_req: lambda: XIAOMI_NODE_DESC.serialize(),
                zdo_t.ZDOCmd.Active_EP_req: lambda: t.LVList[t.uint8_t, t.uint8_t]([1]).serialize(),
                zdo_t.ZDOCmd.Simple_Desc_req: lambda: device["desc"].serialize(),
            }
            if packet.cluster_id in answers:
                self.hear(nwk, 0, 0, packet.cluster_id | 0x8000, data[:1] + b"\x00" + t.NWK(nwk).serialize() + answers[packet.cluster_id]())
            return
        header, rest = foundation.ZCLHeader.deserialize(data)
        if header.command_id == foundation.GeneralCommand.Read_Attributes:
            wanted = [int.from_bytes(rest[i:i + 2], "little") for i in range(0, len(rest), 2)]
            found = device["basic"] if packet.cluster_id == 0 else {}
            records = b"".join(
                i.to_bytes(2, "little") + (b"\x00\x42" + t.CharacterString(found[i]).serialize() if i in found else b"\x86") for i in wanted
            )
            self.hear(nwk, packet.profile_id, 1, packet.cluster_id, bytes([0x10 if data[0] & 0x08 else 0x18, header.tsn, 0x01]) + records)

    def hear(self, nwk, profile, endpoint, cluster, data):
        self.packet_received(t.ZigbeePacket(
            src=t.AddrModeAddress(t.AddrMode.NWK, t.NWK(nwk)), src_ep=endpoint, dst=t.AddrModeAddress(t.AddrMode.NWK, t.NWK(0)), dst_ep=endpoint,
            profile_id=profile, cluster_id=cluster, data=t.SerializableBytes(data), lqi=200, rssi=-50,
        ))
