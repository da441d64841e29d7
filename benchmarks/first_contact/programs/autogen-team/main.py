"""A team of agents in AutoGen on a replayed model: a writer with a tool, a reviewer, a termination condition, the team dumped as a component and loaded again."""
import asyncio
import json

from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.conditions import MaxMessageTermination, TextMentionTermination
from autogen_agentchat.teams import RoundRobinGroupChat
from autogen_core import CancellationToken
from autogen_core import FunctionCall
from autogen_core.models import CreateResult, RequestUsage
from autogen_core.tools import FunctionTool
from autogen_ext.models.replay import ReplayChatCompletionClient
from pydantic import BaseModel


class Price(BaseModel):
    item: str
    cents: int


def price(item: str) -> str:
    """The price of an item."""
    return Price(item=item, cents=len(item) * 100).model_dump_json()


INFO = {"vision": False, "function_calling": True, "json_output": True, "family": "unknown", "structured_output": True}


def team():
    usage = RequestUsage(prompt_tokens=1, completion_tokens=1)
    call = CreateResult(finish_reason="function_calls", content=[FunctionCall(id="1", name="price", arguments=json.dumps({"item": "tea"}))], usage=usage, cached=False)
    writer = AssistantAgent("writer", ReplayChatCompletionClient([call, "tea costs 300"], model_info=INFO), tools=[FunctionTool(price, "The price of an item.")], reflect_on_tool_use=True)
    reviewer = AssistantAgent("reviewer", ReplayChatCompletionClient(["Good. APPROVE"], model_info=INFO))
    return RoundRobinGroupChat([writer, reviewer], termination_condition=TextMentionTermination("APPROVE") | MaxMessageTermination(12))


async def main():
    result = await team().run(task="what is tea?", cancellation_token=CancellationToken())
    kinds = [type(m).__name__ for m in result.messages]
    simple = RoundRobinGroupChat([AssistantAgent("solo", ReplayChatCompletionClient(["hi"], model_info=INFO))], termination_condition=MaxMessageTermination(2))
    spec = simple.dump_component().model_dump_json()
    copy = RoundRobinGroupChat.load_component(json.loads(spec))
    again = await copy.run(task="hello")
    state = await copy.save_state()
    print("OK", kinds, result.stop_reason is not None, json.loads(spec)["provider"], again.messages[-1].content, sorted(state)[:1])


asyncio.run(main())
