"""A tool smith on smolagents: tools from functions and classes, a scripted model, a code agent, tools saved as source and loaded again."""
import tempfile
from pathlib import Path

from smolagents import CodeAgent, Model, Tool, ToolCallingAgent, tool
from smolagents.models import ChatMessage, ChatMessageToolCall, ChatMessageToolCallFunction, MessageRole
from smolagents.monitoring import LogLevel


@tool
def celsius(fahrenheit: float) -> float:
    """
    Converts degrees.

    Args:
        fahrenheit: Degrees on Fahrenheit's scale.
    """
    return round((fahrenheit - 32) * 5 / 9, 1)


class WordCount(Tool):
    name = "word_count"
    description = "Counts words."
    inputs = {"text": {"type": "string", "description": "Any text."}}
    output_type = "integer"

    def forward(self, text: str) -> int:
        return len(text.split())


class Scripted(Model):
    def __init__(self, *replies):
        super().__init__(model_id="scripted")
        self.replies = iter(replies)

    def generate(self, messages, **kwargs):
        r = next(self.replies)
        if isinstance(r, tuple):
            f = ChatMessageToolCallFunction(name=r[0], arguments=r[1])
            return ChatMessage(role=MessageRole.ASSISTANT, content="", tool_calls=[ChatMessageToolCall(id="1", type="function", function=f)])
        return ChatMessage(role=MessageRole.ASSISTANT, content=r)


def main():
    quiet = {"verbosity_level": LogLevel.OFF}
    code = "Thought: convert.\n<code>\nc = celsius(fahrenheit=212)\nn = word_count(text='a b c')\nfinal_answer(c + n)\n</code>"
    first = CodeAgent([celsius, WordCount()], Scripted(code), **quiet).run("How hot?")
    second = ToolCallingAgent([celsius], Scripted(("celsius", {"fahrenheit": 32}), ("final_answer", {"answer": "0 degrees"})), **quiet)
    answer = second.run("And now?")
    steps = len(second.memory.steps)
    with tempfile.TemporaryDirectory() as t:
        WordCount().save(t, make_gradio_app=False)
        text = (Path(t) / "tool.py").read_text()
        again = Tool.from_code(text)
        d = celsius.to_dict()
    assert "def forward" in text and again.forward("x y") == 2
    print("OK", first, answer, steps, sorted(d)[:2], "celsius" in CodeAgent([celsius], Scripted(), **quiet).system_prompt)


if __name__ == "__main__":
    main()
