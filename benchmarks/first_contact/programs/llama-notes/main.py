"""Notes answered by LlamaIndex: a sentence splitter that counts with tiktoken's own table, a vector index, mock model and embedding, saved and loaded again."""
import tempfile

from llama_index.core import Document, Settings, StorageContext, SummaryIndex, VectorStoreIndex, load_index_from_storage
from llama_index.core.embeddings import MockEmbedding
from llama_index.core.llms import MockLLM
from llama_index.core.node_parser import MarkdownNodeParser, SentenceSplitter, TokenTextSplitter
from llama_index.core.output_parsers import PydanticOutputParser
from llama_index.core.tools import FunctionTool
from pydantic import BaseModel


class Note(BaseModel):
    title: str
    stars: int


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def main():
    Settings.llm = MockLLM(max_tokens=12)
    Settings.embed_model = MockEmbedding(embed_dim=8)
    docs = [Document(text="# One\nTrees grow slowly. Rain helps.\n\n# Two\nFires are fast. They burn.", metadata={"file": "a.md"}), Document(text="A note without a heading. " * 40)]
    nodes = SentenceSplitter(chunk_size=60, chunk_overlap=5).get_nodes_from_documents(docs)
    tokens = TokenTextSplitter(chunk_size=40, chunk_overlap=4).get_nodes_from_documents(docs[1:])
    heads = MarkdownNodeParser().get_nodes_from_documents(docs[:1])
    index = VectorStoreIndex(nodes)
    d = tempfile.mkdtemp()
    index.storage_context.persist(d)
    again = load_index_from_storage(StorageContext.from_defaults(persist_dir=d))
    hits = again.as_retriever(similarity_top_k=2).retrieve("rain")
    answer = again.as_query_engine(similarity_top_k=1).query("what grows?")
    summary = SummaryIndex(nodes[:2]).as_query_engine(response_mode="tree_summarize").query("sum up")
    tool = FunctionTool.from_defaults(add)
    parsed = PydanticOutputParser(Note).parse('{"title": "x", "stars": 3}')
    print("OK", len(nodes), len(tokens), len(heads), len(hits), bool(str(answer)), bool(str(summary)), tool.call(2, 3).raw_output, tool.metadata.name, parsed.stars)


main()
