"""A help desk on Haystack: documents split and stored in memory, BM25 and embedding retrieval joined, a Jinja prompt, a scripted generator, a pipeline as YAML."""
from haystack import Document, Pipeline, component
from haystack.components.builders import PromptBuilder
from haystack.components.joiners import DocumentJoiner
from haystack.components.preprocessors import DocumentSplitter
from haystack.components.retrievers.in_memory import InMemoryBM25Retriever, InMemoryEmbeddingRetriever
from haystack.components.writers import DocumentWriter
from haystack.document_stores.in_memory import InMemoryDocumentStore
from haystack.tools import Tool
from pydantic import BaseModel
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

TEXTS = ["Bread is baked at five. It is sold at seven.", "The oven is cleaned on Monday. Flour comes on Tuesday.", "Complaints go to Mrs Rye."]


class Answer(BaseModel):
    text: str
    n: int


def train():
    t = Tokenizer(models.BPE(unk_token="?"))
    t.pre_tokenizer = pre_tokenizers.Whitespace()
    t.train_from_iterator(TEXTS, trainers.BpeTrainer(special_tokens=["?"], vocab_size=90))
    return t


TOKENS = train()


def embed(text):
    v = [0.01] * 95
    for i in TOKENS.encode(text.lower()).ids:
        v[i] += 1
    return v


@component
class Embed:
    @component.output_types(documents=list[Document], embedding=list[float])
    def run(self, documents: list[Document] | None = None, text: str | None = None):
        for d in documents or []:
            d.embedding = embed(d.content)
        return {"documents": documents or [], "embedding": embed(text or "")}


@component
class Scripted:
    @component.output_types(replies=list[str])
    def run(self, prompt: str):
        return {"replies": [Answer(text=prompt.splitlines()[0], n=len(TOKENS.encode(prompt).ids)).model_dump_json()]}


def main():
    store = InMemoryDocumentStore()
    index = Pipeline()
    index.add_component("split", DocumentSplitter(split_by="word", split_length=8))
    index.add_component("embed", Embed())
    index.add_component("write", DocumentWriter(store))
    index.connect("split.documents", "embed.documents")
    index.connect("embed.documents", "write.documents")
    index.run({"split": {"documents": [Document(content=t) for t in TEXTS]}})
    ask = Pipeline()
    ask.add_component("bm25", InMemoryBM25Retriever(store, top_k=2))
    ask.add_component("embed", Embed())
    ask.add_component("near", InMemoryEmbeddingRetriever(store, top_k=2))
    ask.add_component("join", DocumentJoiner(join_mode="reciprocal_rank_fusion"))
    ask.add_component("prompt", PromptBuilder("{{ documents[0].content }}\nQuestion: {{ q }}", required_variables=["documents", "q"]))
    ask.add_component("llm", Scripted())
    for a, b in (("bm25", "join"), ("embed.embedding", "near.query_embedding"), ("near", "join"), ("join", "prompt.documents"), ("prompt", "llm")):
        ask.connect(a, b)
    q = "when is the oven cleaned"
    out = Answer.model_validate_json(ask.run({"bm25": {"query": q}, "embed": {"text": q}, "prompt": {"q": q}})["llm"]["replies"][0])
    again = Pipeline()
    again.add_component("bm25", InMemoryBM25Retriever(InMemoryDocumentStore()))
    again.add_component("prompt", PromptBuilder("x {{ q }}"))
    copy = Pipeline.loads(again.dumps())
    tool = Tool(name="t", description="d", parameters={"type": "object", "properties": {"a": {"type": "integer"}}}, function=lambda a: a + 1)
    print("OK", store.count_documents(), "oven" in out.text, out.n > 5, sorted(copy.graph.nodes), tool.invoke(a=2))


main()
