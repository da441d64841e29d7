"""A triage desk on the OpenAI Agents SDK: a scripted model, handoffs, guardrails, function tools documented by docstrings, a session in SQLite."""
import asyncio
import json
import logging
import os

os.environ["OPENAI_AGENTS_DISABLE_TRACING"] = "1"
from agents import Agent, GuardrailFunctionOutput, InputGuardrailTripwireTriggered, ModelResponse, RunContextWrapper, Runner, SQLiteSession, Usage, function_tool, handoff, input_guardrail
from agents.models.interface import Model
from openai.types.responses import ResponseFunctionToolCall, ResponseOutputMessage, ResponseOutputText
from pydantic import BaseModel, Field


class Ticket(BaseModel):
    title: str
    priority: int = Field(ge=1, le=5)


class Scripted(Model):
    def __init__(self, *steps):
        self.steps = list(steps)
        self.tools = []

    async def get_response(self, system_instructions, input, model_settings, tools, output_schema, handoffs, tracing, **kw):
        self.tools = [t.params_json_schema for t in tools if hasattr(t, "params_json_schema")]
        step = self.steps.pop(0)
        if isinstance(step, tuple):
            item = ResponseFunctionToolCall(id="f", call_id=f"c{len(self.steps)}", type="function_call", name=step[0], arguments=json.dumps(step[1]))
        else:
            part = ResponseOutputText(text=step, type="output_text", annotations=[])
            item = ResponseOutputMessage(id="m", type="message", role="assistant", status="completed", content=[part])
        return ModelResponse(output=[item], usage=Usage(requests=1, input_tokens=2, output_tokens=3, total_tokens=5), response_id=None)

    async def stream_response(self, *args, **kw):
        raise NotImplementedError
        yield


@function_tool
async def stock(ctx: RunContextWrapper[dict], item: str, shop: str = "main") -> int:
    """How many are left.

    Args:
        item: What is asked for.
        shop: The branch.
    """
    return ctx.context.get(item, 0)


@input_guardrail
async def polite(ctx, agent, text):
    return GuardrailFunctionOutput(output_info=None, tripwire_triggered="damn" in str(text))


async def work():
    desk_model = Scripted(("stock", {"item": "tea"}), json.dumps({"title": "tea is short", "priority": 2}), json.dumps({"title": "again", "priority": 1}))
    desk = Agent("Desk", instructions="Make tickets.", model=desk_model, tools=[stock], output_type=Ticket, handoff_description="Makes tickets")
    front = Agent("Front", model=Scripted(("transfer_to_desk", {})), handoffs=[handoff(desk)], input_guardrails=[polite])
    session = SQLiteSession("s")
    first = await Runner.run(front, "tea?", context={"tea": 3}, session=session)
    second = await Runner.run(desk, "and?", context={}, session=session)
    items = await session.get_items()
    try:
        await Runner.run(Agent("x", model=Scripted("no"), input_guardrails=[polite]), "damn")
        tripped = False
    except InputGuardrailTripwireTriggered:
        tripped = True
    doc = stock.params_json_schema["properties"]["item"]["description"]
    return first.final_output, first.last_agent.name, second.final_output.title, len(items), tripped, doc, first.context_wrapper.usage.total_tokens


def main():
    logging.disable(logging.CRITICAL)
    print("OK", *asyncio.run(work()))


if __name__ == "__main__":
    main()
