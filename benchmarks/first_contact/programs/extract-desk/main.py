"""A desk that extracts: Instructor over the clients of two providers whose servers are mocked by transports, a retry after a validation error, partial results of a stream, images as parts, hooks counted."""
import json
import logging
from typing import Literal

import anthropic
import httpx2
import instructor
from openai import OpenAI
from pydantic import BaseModel, Field, field_validator
from tenacity import Retrying, stop_after_attempt


class Person(BaseModel):
    """A person in a text."""

    name: str
    age: int = Field(ge=0)
    kind: Literal["guest", "host"] = "guest"

    @field_validator("name")
    @classmethod
    def has_capital(cls, value):
        if not value[0].isupper():
            raise ValueError("names begin with a capital")
        return value


def call(arguments):
    tool = {"id": "c1", "type": "function", "function": {"name": "Person", "arguments": json.dumps(arguments)}}
    message = {"role": "assistant", "content": None, "tool_calls": [tool]}
    return {"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": [{"index": 0, "finish_reason": "tool_calls", "message": message}], "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}}


def stream():
    text = json.dumps({"name": "Bob", "age": 40})
    for part in (text[:9], text[9:]):
        tool = {"index": 0, "id": "c1", "type": "function", "function": {"name": "Person", "arguments": part}}
        yield "data: " + json.dumps({"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [{"index": 0, "delta": {"role": "assistant", "tool_calls": [tool]}, "finish_reason": None}]}) + "\n\n"
    yield "data: [DONE]\n\n"


def main():
    logging.disable(logging.CRITICAL)
    answers = [call({"name": "ada", "age": 36}), call({"name": "Ada", "age": 36})]
    said = [httpx2.Response(200, json=answers[0]), httpx2.Response(200, json=answers[1]), httpx2.Response(200, headers={"content-type": "text/event-stream"}, content="".join(stream()).encode())]
    web = httpx2.Client(transport=httpx2.MockTransport(lambda request: said.pop(0)))
    body = {"id": "m", "type": "message", "role": "assistant", "model": "c", "stop_reason": "tool_use", "stop_sequence": None, "usage": {"input_tokens": 1, "output_tokens": 1}, "content": [{"type": "tool_use", "id": "t", "name": "Person", "input": {"name": "Eve", "age": 7, "kind": "host"}}]}
    other_web = httpx2.Client(transport=httpx2.MockTransport(lambda request: httpx2.Response(200, json=body)))
    client = instructor.from_openai(OpenAI(api_key="x", http_client=web), mode=instructor.Mode.TOOLS)
    seen = []
    client.on("parse:error", lambda error: seen.append(type(error).__name__))
    first = client.chat.completions.create(model="m", response_model=Person, messages=[{"role": "user", "content": "Ada is 36"}], max_retries=Retrying(stop=stop_after_attempt(3)))
    parts = [p.model_dump() for p in client.chat.completions.create_partial(model="m", response_model=Person, messages=[{"role": "user", "content": "Bob is 40"}])]
    other = instructor.from_anthropic(anthropic.Anthropic(api_key="x", http_client=other_web))
    third = other.messages.create(model="c", max_tokens=9, response_model=Person, messages=[{"role": "user", "content": "Eve"}])
    named = instructor.from_provider("openai/m", api_key="x")
    schema = instructor.OpenAISchema if hasattr(instructor, "OpenAISchema") else None
    print("OK", first.model_dump(), len(seen), parts[-1]["age"], third.kind, type(named).__name__, schema is not None, len(said))


main()
