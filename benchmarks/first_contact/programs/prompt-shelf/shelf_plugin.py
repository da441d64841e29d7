"""The shelf's own plug-in for llm: an offline model, an embedding model, a tool, a template loader, fragments and a command."""
import hashlib
import json

import click
import llm
from pydantic import Field


class Librarian(llm.Model):
    model_id = "librarian"
    can_stream = True
    supports_schema = True
    supports_tools = True

    class Options(llm.Options):
        shout: bool = Field(default=False, description="Answer in capitals")

    def execute(self, prompt, stream, response, conversation=None):
        if prompt.tools and not prompt.tool_results:
            response.add_tool_call(llm.ToolCall(name="count_books", arguments={"genre": "poetry"}, tool_call_id="t1"))
            return
        if prompt.tool_results:
            yield "There are " + prompt.tool_results[0].output
            return
        if prompt.schema:
            yield json.dumps({"title": prompt.prompt.split()[0].title(), "copies": 2})
            return
        words = (f"[{prompt.system}] " if prompt.system else "") + f"{len(prompt.prompt.split())} words"
        response.set_usage(input=len(prompt.prompt.split()), output=2)
        for part in words.split(" "):
            yield (part.upper() if prompt.options.shout else part) + " "


class HashEmbed(llm.EmbeddingModel):
    model_id = "hash-embed"

    def embed_batch(self, texts):
        for text in texts:
            vector = [0.0] * 16
            for word in text.lower().split():
                vector[hashlib.sha256(word.encode()).digest()[0] % 16] += 1.0
            yield vector


def count_books(genre: str) -> str:
    "How many books of a genre stand on the shelf."
    return f"{len(genre) * 7} books of {genre}"


@llm.hookimpl
def register_models(register):
    register(Librarian(), aliases=("lib",))


@llm.hookimpl
def register_embedding_models(register):
    register(HashEmbed())


@llm.hookimpl
def register_tools(register):
    register(count_books)


@llm.hookimpl
def register_template_loaders(register):
    register("shelf", lambda name: llm.Template(name=name, system="Reviewer", prompt="Review this: $input", model="librarian"))


@llm.hookimpl
def register_fragment_loaders(register):
    register("note", lambda arg: llm.Fragment(f"Note about {arg}: keep dry.", f"note:{arg}"))


@llm.hookimpl
def register_commands(cli):
    @cli.command(name="shelf-info")
    @click.option("--plain", is_flag=True)
    def shelf_info(plain):
        "Say what the shelf is"
        click.echo("shelf" if plain else click.style("shelf", bold=True))
