import asyncio

from bitstring import BitArray, pack
from pymodbus import ModbusDeviceIdentification
from pymodbus.client import AsyncModbusTcpClient
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice


async def exchange(port: int, recipe: list[int]) -> tuple[list[int], float, str]:
    device = SimDevice(
        id=1,
        simdata=[
            SimData(0, count=16, values=0, datatype=DataType.REGISTERS),
            SimData(100, values=[21.5, 22.25], datatype=DataType.FLOAT32),
        ],
    )
    identity = ModbusDeviceIdentification(info_name={"VendorName": "Example PLC", "ProductCode": "X1"})
    server = ModbusTcpServer(device, identity=identity, address=("127.0.0.1", port))
    serving = asyncio.create_task(server.serve_forever(background=True))
    await serving
    client = AsyncModbusTcpClient("127.0.0.1", port=port)
    assert await client.connect()
    await client.write_registers(2, recipe, device_id=1)
    registers = (await client.read_holding_registers(2, count=len(recipe), device_id=1)).registers
    raw = (await client.read_holding_registers(102, count=2, device_id=1)).registers
    temperature = client.convert_from_registers(raw, client.DATATYPE.FLOAT32)
    status = pack("uint:4, 2*uint:6", 9, *[value % 64 for value in registers[:2]])
    client.close()
    await server.shutdown()
    return registers, temperature, BitArray(status).hex
