"""Drivers of one robot cell: CAN bus, CANopen drive, Modbus PLC, zenoh bus and the recorder."""
