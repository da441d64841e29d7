"""A desk assistant's MCP server and its client in one program: the client starts the program again as a stdio server."""
import asyncio
import json
import sys

from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.server.mcpserver import Context, MCPServer
from pydantic import BaseModel, Field
from pydantic_settings import BaseSettings
from rich.console import Console
from rich.tree import Tree


class Settings(BaseSettings, env_prefix="DESK_"):
    name: str = "desk"
    rooms: list[str] = ["red", "blue"]


class Booking(BaseModel):
    room: str
    hour: int = Field(ge=8, le=18)
    people: list[str] = []


settings = Settings()
server = MCPServer(settings.name, instructions="Books rooms.")
booked: dict[str, Booking] = {}


@server.tool()
async def book(booking: Booking, ctx: Context) -> Booking:
    """Book a room."""
    if booking.room not in settings.rooms:
        raise ValueError(f"no room {booking.room}")
    booked[f"{booking.room}-{booking.hour}"] = booking
    return booking


@server.tool()
def free(hour: int) -> list[str]:
    """Rooms that are free at an hour."""
    return [r for r in settings.rooms if f"{r}-{hour}" not in booked]


@server.resource("room://{name}")
def room(name: str) -> str:
    """What is booked."""
    return json.dumps([b.hour for b in booked.values() if b.room == name])


@server.prompt()
def invite(room: str) -> str:
    """An invitation."""
    return f"Please come to {room}."


async def talk():
    args = ["serve"] if getattr(sys, "frozen", False) or "__compiled__" in globals() else [__file__, "serve"]
    params = StdioServerParameters(command=sys.executable, args=args)
    async with Client(stdio_client(params)) as c:
        tools = [t.name for t in (await c.list_tools()).tools]
        made = await c.call_tool("book", {"booking": {"room": "red", "hour": 9, "people": ["ann"]}})
        left = await c.call_tool("free", {"hour": 9})
        bad = await c.call_tool("book", {"booking": {"room": "red", "hour": 3}})
        text = (await c.read_resource("room://red")).contents[0].text
        said = (await c.get_prompt("invite", {"room": "blue"})).messages[0].content.text
    return tools, made.structured_content, left.structured_content, bad.is_error, text, said


def main():
    if sys.argv[1:] == ["serve"]:
        server.run("stdio")
        return
    tools, made, left, bad, text, said = asyncio.run(talk())
    tree = Tree("desk")
    for t in tools:
        tree.add(t)
    with open("/dev/null", "w") as null:
        Console(file=null).print(tree)
    print("OK", tools, made, left, bad, text, said)


if __name__ == "__main__":
    main()
