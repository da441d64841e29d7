"""A trip planner: Pydantic AI agents with tools, a typed answer, streaming, a fallback from Mistral to OpenAI, and a graph of steps."""
import asyncio
import os
from dataclasses import dataclass, field

from fake_api import SEEN, serve
from pydantic import BaseModel, Field
from pydantic_ai import Agent, ModelMessagesTypeAdapter, ModelRetry, RunContext, UsageLimits, format_as_xml
from pydantic_ai.models.fallback import FallbackModel
from pydantic_ai.models.mistral import MistralModel
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.models.test import TestModel
from pydantic_ai.providers.mistral import MistralProvider
from pydantic_ai.providers.openai import OpenAIProvider
from pydantic_graph import GraphBuilder, StepContext, reduce_list_append

DISTANCES = {("Lyon", "Geneva"): 149.5, ("Geneva", "Bern"): 158.0}


class Plan(BaseModel):
    city: str
    days: int = Field(ge=1, le=14)
    km: float
    stops: list[str]


@dataclass
class Traveller:
    name: str
    budget: int
    asked: list = field(default_factory=list)


planner = Agent(deps_type=Traveller, output_type=Plan, instructions="Plan a short trip by car.", retries=2)
packer = Agent(instructions="Say what to pack, in one sentence.")


@planner.instructions
def who(ctx: RunContext[Traveller]) -> str:
    return format_as_xml({"name": ctx.deps.name, "budget": ctx.deps.budget}, root_tag="traveller")


@planner.tool
async def distance_km(ctx: RunContext[Traveller], start: str, end: str) -> float:
    """Distance by road.

    Args:
        start: The city where the trip begins.
        end: The city where it ends.
    """
    ctx.deps.asked.append((start, end))
    if (start, end) not in DISTANCES:
        raise ModelRetry("unknown road")
    return DISTANCES[start, end]


@planner.output_validator
def not_too_far(ctx: RunContext[Traveller], plan: Plan) -> Plan:
    if plan.km > ctx.deps.budget:
        raise ModelRetry("too far for the budget")
    return plan


async def costs(plan: Plan):
    """Price every leg in parallel and collect the parts."""
    builder = GraphBuilder(input_type=list[str], output_type=list[int])

    @builder.step
    async def price(ctx: StepContext[None, None, str]) -> int:
        return len(ctx.inputs) * plan.days

    collect = builder.join(reduce_list_append, initial_factory=list[int])
    builder.add(builder.edge_from(builder.start_node).map().to(price))
    builder.add(builder.edge_from(price).to(collect), builder.edge_from(collect).to(builder.end_node))
    graph = builder.build()
    return sorted(await graph.run(inputs=plan.stops)), graph.render().splitlines()[0]


async def run(url):
    openai = OpenAIChatModel("gpt-4o-mini", provider=OpenAIProvider(base_url=f"{url}/v1", api_key="sk-none"))
    mistral = MistralModel("mistral-small-latest", provider=MistralProvider(api_key="none", base_url=url))
    traveller = Traveller("Ada", 400)
    result = await planner.run(
        "From Lyon to Geneva, please.", model=FallbackModel(mistral, openai), deps=traveller, usage_limits=UsageLimits(request_limit=5)
    )
    words = []
    async with packer.run_stream("Two days in Geneva", model=openai) as stream:
        async for text in stream.stream_text(delta=True, debounce_by=None):
            words.append(text)
    history = ModelMessagesTypeAdapter.validate_json(result.all_messages_json())
    with planner.override(model=TestModel(custom_output_args={"city": "Bern", "days": 1, "km": 9, "stops": []}, call_tools=[])):
        rehearsal = (await planner.run("Anywhere", deps=traveller)).output
    parts, diagram = await costs(result.output)
    return result, words, history, rehearsal, traveller, parts, diagram


def main():
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1"
    server, url = serve()
    try:
        result, words, history, rehearsal, traveller, parts, diagram = asyncio.run(run(url))
    finally:
        server.shutdown()
    assert "mistral" in SEEN and SEEN[-1] == "openai", SEEN
    usage = result.usage
    kinds = [p.part_kind for m in history for p in m.parts]
    print("OK", result.output.model_dump(), traveller.asked, usage.total_tokens, usage.requests, kinds, "".join(words), rehearsal.city, parts, diagram)


if __name__ == "__main__":
    main()
