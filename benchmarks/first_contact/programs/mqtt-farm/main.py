"""A farm of sensors: an aMQTT broker in the process with its plug-ins, aiomqtt clients, orjson payloads, settings from the environment."""
import asyncio
import os

import aiomqtt
import orjson
from amqtt.broker import Broker
from pydantic import BaseModel
from pydantic_settings import BaseSettings, SettingsConfigDict

os.environ["FARM_PORT"] = "18931"


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="FARM_")
    port: int
    fields: list[str] = ["north", "south"]


class Reading(BaseModel):
    field: str
    wet: float


CONFIG = {
    "listeners": {"default": {"type": "tcp", "bind": "127.0.0.1:18931"}},
    "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}, "amqtt.plugins.sys.broker.BrokerSysPlugin": {"sys_interval": 20}},
}


async def main():
    s = Settings()
    broker = Broker(CONFIG)
    await broker.start()
    got = []

    async def listen(ready):
        async with aiomqtt.Client("127.0.0.1", s.port, identifier="hub") as hub:
            await hub.subscribe("farm/#", qos=1)
            ready.set()
            async for m in hub.messages:
                got.append((str(m.topic), Reading.model_validate(orjson.loads(m.payload))))
                if len(got) == 4:
                    return

    ready = asyncio.Event()
    task = asyncio.create_task(listen(ready))
    await ready.wait()
    async with aiomqtt.Client("127.0.0.1", s.port, identifier="probe") as probe:
        for n in range(2):
            for f in s.fields:
                await probe.publish(f"farm/{f}", orjson.dumps({"field": f, "wet": 0.5 + n}), qos=1)
    await asyncio.wait_for(task, 20)
    await broker.shutdown()
    print("OK", sorted({t for t, _ in got}), sum(r.wet for _, r in got), broker.__class__.__name__)


asyncio.run(main())
