"""Agents of a food pantry: tools, skills, sessions, a graph of agents and constrained output, on a local model server."""
import asyncio
import json
import logging.config
import tempfile
import warnings
from pathlib import Path
from typing import Literal

import ollama
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from pydantic import BaseModel, Field
from strands import Agent, AgentSkills, Plugin
from strands.agent.conversation_manager import SlidingWindowConversationManager
from strands.hooks import AfterToolCallEvent, BeforeModelCallEvent
from strands.models.ollama import OllamaModel
from strands.multiagent import GraphBuilder
from strands.plugins import hook
from strands.session.file_session_manager import FileSessionManager
from strands.telemetry import StrandsTelemetry

from standin.server import REQUESTS, Server

BASE = Path(__file__).resolve().parent
warnings.filterwarnings("ignore", category=DeprecationWarning)
logging.config.dictConfig({"version": 1, "disable_existing_loggers": False,
                           "handlers": {"console": {"class": "logging.StreamHandler", "level": "ERROR"}},
                           "loggers": {"strands": {"handlers": ["console"], "level": "ERROR", "propagate": False}}})


class Order(BaseModel):
    """An order of the pantry."""
    item: Literal["rice", "beans", "oats"]
    quantity: int = Field(ge=1, le=500)
    urgent: bool


class Journal(Plugin):
    """Counts model calls and notes the tools that were used."""
    name = "journal"

    def __init__(self):
        super().__init__()
        self.models, self.used = 0, []

    @hook
    def on_model(self, event: BeforeModelCallEvent):
        self.models += 1

    @hook
    def on_tool(self, event: AfterToolCallEvent):
        self.used.append((event.tool_use["name"], event.result["status"]))


def prompt(name: str) -> str:
    return (BASE / "prompts" / f"{name}.txt").read_text().strip()


def model(url: str, name: str = "pantry:1b") -> OllamaModel:
    return OllamaModel(host=url, model_id=name, temperature=0.0, options={"seed": 1})


def clerk(url: str, folder: Path, journal: Journal) -> Agent:
    return Agent(model=model(url), agent_id="clerk", name="clerk", system_prompt=prompt("clerk"), callback_handler=None,
                 tools=[str(BASE / "tools" / "stock.py")],
                 plugins=[journal, AgentSkills(skills=[str(BASE / "skills")])],
                 conversation_manager=SlidingWindowConversationManager(window_size=12),
                 session_manager=FileSessionManager(session_id="pantry", storage_dir=str(folder)))


async def stream_words(agent: Agent, text: str) -> list[str]:
    return [event["data"] async for event in agent.stream_async(text) if "data" in event and event["data"]]


def direct_client(url: str):
    client = ollama.Client(host=url)
    print("models:", [m.model for m in client.list().models])
    answer = client.chat("pantry:1b", messages=[{"role": "user", "content": "urgent: 40 kg beans please"}],
                         format=Order.model_json_schema())
    order = Order.model_validate_json(answer.message.content)
    print("constrained:", order)
    vectors = client.embed("pantry:1b", ["rice and oats", "steel roof"]).embeddings
    print("embedding:", len(vectors), round(sum(x * y for x, y in zip(*vectors)), 4))
    try:
        client.chat("missing", messages=[{"role": "user", "content": "hello"}])
    except ollama.ResponseError as exc:
        print("refused:", exc.status_code, exc.error)
    return order


def main():
    exporter = InMemorySpanExporter()
    telemetry = StrandsTelemetry()
    telemetry.tracer_provider.add_span_processor(SimpleSpanProcessor(exporter))
    with tempfile.TemporaryDirectory() as tmp, Server() as url:
        direct = direct_client(url)
        journal = Journal()
        agent = clerk(url, Path(tmp), journal)
        print("tools:", sorted(agent.tool_names))
        result = agent("Please set aside 24 kg of beans")
        print("answer:", str(result).strip())
        print("stop:", result.stop_reason, "cycles", result.metrics.cycle_count, "used", journal.used)
        print("state:", agent.state.get("booked"), "model calls", journal.models)
        called = agent.tool.reserve(item="oats", quantity=3)
        print("direct call:", called["content"][0]["text"], agent.state.get("booked"))

        again = clerk(url, Path(tmp), Journal())
        print("restored:", len(again.messages) == len(agent.messages), again.state.get("booked") is not None)
        stored = sorted(p.name for p in Path(tmp).rglob("message_*.json"))
        print("session files:", len(stored), json.loads(next(Path(tmp).rglob("agent.json")).read_text())["agent_id"])

        reader = Agent(model=model(url), system_prompt="You read orders.", callback_handler=None)
        order = reader("We need 12 kg of oats, not in a hurry", structured_output_model=Order).structured_output
        print("structured:", order)
        words = asyncio.run(stream_words(Agent(model=model(url), callback_handler=None), "Say hello to the pantry"))
        print("streamed:", len(words), "pieces:", "".join(words).strip())

        builder = GraphBuilder()
        builder.add_node(Agent(model=model(url), name="intake", system_prompt="You take orders.", callback_handler=None), "intake")
        builder.add_node(Agent(model=model(url), name="edit", system_prompt=prompt("editor"), callback_handler=None), "edit")
        builder.add_edge("intake", "edit", condition=lambda state: bool(state.results))
        builder.set_entry_point("intake")
        outcome = builder.build()("Two sacks of rice for Friday")
        print("graph:", outcome.status.value, [n.node_id for n in outcome.execution_order],
              str(outcome.results["edit"].result).strip()[:30])
    telemetry.tracer_provider.force_flush()
    names = {s.name.split(" ")[0] for s in exporter.get_finished_spans()}
    print("spans:", sorted(n for n in names if n in {"chat", "invoke_agent", "execute_tool", "execute_event_loop_cycle"}))
    print(f"OK {REQUESTS.count('chat')} chats, {direct.quantity + order.quantity} kg ordered")


if __name__ == "__main__":
    main()
