"""A helpline that answers from its articles: Qdrant (local mode) finds by dense and sparse vectors, the Google GenAI client writes answers, calls functions and streams."""
import asyncio
import os
import tempfile
from collections import Counter
from enum import Enum
from pathlib import Path

import orjson
import structlog
from google import genai
from google.genai import errors, types
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from pydantic import BaseModel
from pydantic_settings import BaseSettings, SettingsConfigDict
from qdrant_client import AsyncQdrantClient, QdrantClient, models
from tokenizers import Tokenizer, decoders, normalizers, pre_tokenizers
from tokenizers.models import BPE
from tokenizers.trainers import BpeTrainer

import standin

HERE = Path(__file__).resolve().parent
LOG = []


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="HELPLINE_")
    company: str = "Lakeside Telecom"
    chat_model: str = "gemini-2.5-flash"
    embed_model: str = "gemini-embedding-001"
    collection: str = "articles"
    top: int = 3


class Confidence(str, Enum):
    low, high = "low", "high"


class Answer(BaseModel):
    answer: str
    sources: list[int]
    confidence: Confidence


structlog.configure(processors=[structlog.contextvars.merge_contextvars, structlog.processors.add_log_level, structlog.processors.JSONRenderer(serializer=lambda e, **_: orjson.dumps(e, option=orjson.OPT_SORT_KEYS).decode()), lambda *a: LOG.append(a[2]) or a[2]],
                    logger_factory=structlog.ReturnLoggerFactory())
log = structlog.get_logger()


def open_ticket(area: str, urgent: bool) -> str:
    """Opens a ticket at the desk of an area.

    Args:
        area: network, billing or contract
        urgent: whether it cannot wait
    """
    log.info("ticket", area=area, urgent=urgent)
    return f"{area}-{'A' if urgent else 'B'}1"


def train(texts):
    tokenizer = Tokenizer(BPE(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(texts, BpeTrainer(vocab_size=500, special_tokens=["[UNK]"], show_progress=False, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    return tokenizer


def sparse(tokenizer, text):
    counts = Counter(tokenizer.encode(text).ids)
    return models.SparseVector(indices=sorted(counts), values=[float(counts[i]) for i in sorted(counts)])


class Helpline:
    def __init__(self, settings, url, store):
        self.settings, self.store = settings, store
        self.llm = genai.Client(api_key="local", http_options=types.HttpOptions(base_url=url, timeout=10_000, retry_options=types.HttpRetryOptions(attempts=1)))
        self.env = Environment(loader=FileSystemLoader(HERE / "prompts"), undefined=StrictUndefined)
        self.articles = [orjson.loads(line) for line in (HERE / "articles.jsonl").read_bytes().splitlines()]
        self.tokenizer = train([a["text"] for a in self.articles])

    def embed(self, texts):
        result = self.llm.models.embed_content(model=self.settings.embed_model, contents=texts, config=types.EmbedContentConfig(task_type="RETRIEVAL_DOCUMENT"))
        return [e.values for e in result.embeddings]

    def index(self):
        name = self.settings.collection
        self.store.create_collection(name, vectors_config={"dense": models.VectorParams(size=standin.SIZE, distance=models.Distance.COSINE)},
                                     sparse_vectors_config={"words": models.SparseVectorParams(modifier=models.Modifier.IDF)})
        vectors = self.embed([a["text"] for a in self.articles])
        self.store.upsert(name, [models.PointStruct(id=a["id"], payload=a, vector={"dense": v, "words": sparse(self.tokenizer, a["text"])}) for a, v in zip(self.articles, vectors)])
        log.info("indexed", points=self.store.count(name).count, vocabulary=self.tokenizer.get_vocab_size() > 300)

    def find(self, question, area=None):
        only = models.Filter(must=[models.FieldCondition(key="area", match=models.MatchValue(value=area))]) if area else None
        prefetch = [models.Prefetch(query=self.embed([question])[0], using="dense", limit=5, filter=only), models.Prefetch(query=sparse(self.tokenizer, question), using="words", limit=5, filter=only)]
        return self.store.query_points(self.settings.collection, prefetch=prefetch, query=models.FusionQuery(fusion=models.Fusion.RRF), limit=self.settings.top, with_payload=True).points

    def ask(self, question, area=None):
        prompt = self.env.get_template("answer.j2").render(hits=self.find(question, area), question=question)
        system = self.env.get_template("system.j2").render(company=self.settings.company, languages=["English", "German"])
        config = types.GenerateContentConfig(system_instruction=system, temperature=0, response_mime_type="application/json", response_schema=Answer,
                                             safety_settings=[types.SafetySetting(category="HARM_CATEGORY_HARASSMENT", threshold="BLOCK_ONLY_HIGH")])
        reply = self.llm.models.generate_content(model=self.settings.chat_model, contents=prompt, config=config)
        return reply.parsed, reply.usage_metadata.total_token_count

    def ticket(self, complaint):
        chat = self.llm.chats.create(model=self.settings.chat_model, config=types.GenerateContentConfig(tools=[open_ticket]))
        return chat.send_message(complaint).text, [part.function_call.name for turn in chat.get_history() for part in turn.parts if part.function_call]

    async def stream(self, question):
        parts = []
        async for chunk in await self.llm.aio.models.generate_content_stream(model=self.settings.chat_model, contents=question):
            parts.append(chunk.text)
        return parts


async def mirror(points):
    client = AsyncQdrantClient(":memory:")
    await client.create_collection("mirror", vectors_config=models.VectorParams(size=4, distance=models.Distance.DOT))
    await client.upsert("mirror", [models.PointStruct(id=p, vector=[float(p), 1, 0, 0]) for p in points])
    best = await client.query_points("mirror", query=[1.0, 0, 0, 0], limit=2)
    await client.close()
    return [p.id for p in best.points]


def main():
    os.environ.pop("GOOGLE_API_KEY", None)
    os.environ.pop("GEMINI_API_KEY", None)
    server = standin.start()
    settings = Settings()
    with tempfile.TemporaryDirectory() as folder:
        store = QdrantClient(path=folder)
        desk = Helpline(settings, f"http://127.0.0.1:{server.server_port}", store)
        desk.index()
        for question, area in (("Where is my invoice?", "billing"), ("The wireless network is slow, restart the router?", None)):
            answer, used = desk.ask(question, area)
            print(question, [h.id for h in desk.find(question, area)], answer.sources, answer.confidence.value, used)
        print(desk.ticket("I paid twice!"))
        print(asyncio.run(desk.stream("How do I reset it?")), asyncio.run(mirror([1, 2, 3])))
        chat = desk.llm.chats.create(model=settings.chat_model, history=[types.UserContent("Hello"), types.ModelContent("Good morning")])
        print(chat.send_message("Are you there?").text, len(chat.get_history()), desk.llm.models.count_tokens(model=settings.chat_model, contents="four words are here").total_tokens)
        scrolled, _ = store.scroll(settings.collection, scroll_filter=models.Filter(must_not=[models.FieldCondition(key="id", range=models.Range(gt=2))]), limit=10)
        print([p.payload["title"] for p in scrolled], desk.tokenizer.decode(desk.tokenizer.encode("Router Settings").ids).strip())
        try:
            desk.llm.models.generate_content(model="no-such-model", contents="hi")
        except errors.ClientError as exc:
            print("refused", exc.code, exc.status)
        try:
            store.query_points("nothing", query=[0.0] * 4)
        except ValueError as exc:
            print("refused", exc)
        store.close()
    server.shutdown()
    print(*LOG, sep="\n")
    print("OK", dict(sorted(Counter(standin.Handler.seen).items())))


if __name__ == "__main__":
    main()
