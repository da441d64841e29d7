"""A support agent as a LangGraph graph: checkpoints in memory, a human interrupt, tools, a fake chat model, retrieval with Tantivy."""
import operator
from typing import Annotated, Literal

import orjson
import tantivy
from langchain_core.documents import Document
from langchain_core.language_models import GenericFakeChatModel
from langchain_core.load import dumps, loads
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.output_parsers import JsonOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import tool
from langchain_text_splitters import MarkdownHeaderTextSplitter, RecursiveCharacterTextSplitter
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.prebuilt import ToolNode
from langgraph.types import Command, interrupt
from pydantic import BaseModel, Field

HANDBOOK = "# Returns\nGoods may be returned within 30 days.\n## Fees\nNo fee.\n# Shipping\nShipping takes 3 days.\n"


class TantivyRetriever(BaseRetriever):
    index: object = Field(exclude=True)

    def _get_relevant_documents(self, query, *, run_manager):
        s = self.index.searcher()
        hits = s.search(self.index.parse_query(query, ["body"]), 2).hits
        return [Document(s.doc(a)["body"][0], metadata={"score": round(score, 2)}) for score, a in hits]


class State(BaseModel):
    question: str
    notes: Annotated[list[str], operator.add] = []
    messages: list = []
    approved: bool = False


@tool
def refund(amount: float) -> str:
    """Refund an amount."""
    return f"refunded {amount:.2f}"


def build_index():
    b = tantivy.SchemaBuilder()
    b.add_text_field("body", stored=True, tokenizer_name="en_stem")
    index = tantivy.Index(b.build())
    w = index.writer()
    parts = MarkdownHeaderTextSplitter([("#", "h1"), ("##", "h2")]).split_text(HANDBOOK)
    for d in RecursiveCharacterTextSplitter(chunk_size=60, chunk_overlap=0).split_documents(parts):
        w.add_document(tantivy.Document(body=d.page_content))
    w.commit()
    index.reload()
    return index


def main():
    retriever = TantivyRetriever(index=build_index())
    model = GenericFakeChatModel(messages=iter([AIMessage('```json\n{"action": "refund", "amount": 12.5}\n```')]))
    prompt = ChatPromptTemplate.from_messages([("system", "Use: {notes}"), ("human", "{q}")])
    decide = prompt | model | JsonOutputParser()

    def look(s: State):
        return {"notes": [d.page_content for d in retriever.invoke(s.question)]}

    def ask(s: State) -> Command[Literal["tools", "__end__"]]:
        plan = decide.invoke({"notes": s.notes, "q": s.question})
        if not interrupt({"plan": plan}):
            return Command(goto=END)
        call = {"name": plan["action"], "args": {"amount": plan["amount"]}, "id": "1", "type": "tool_call"}
        return Command(update={"messages": [HumanMessage(s.question), AIMessage("", tool_calls=[call])], "approved": True}, goto="tools")

    plans = []
    decide_once = decide
    decide = RunnableLambda(lambda x: plans[0] if plans else plans.append(decide_once.invoke(x)) or plans[0])
    g = StateGraph(State)
    g.add_node("look", look); g.add_node("ask", ask); g.add_node("tools", ToolNode([refund]))
    g.add_edge(START, "look"); g.add_edge("look", "ask"); g.add_edge("tools", END)
    graph = g.compile(checkpointer=InMemorySaver())
    cfg = {"configurable": {"thread_id": "t"}}
    first = graph.invoke({"question": "returning goods"}, cfg)
    stopped = first["__interrupt__"][0].value
    last = graph.invoke(Command(resume=True), cfg)
    history = len(list(graph.get_state_history(cfg)))
    text = dumps(last["messages"][-1])
    back = loads(text, allowed_objects="all") if "allowed_objects" in loads.__doc__ else loads(text)
    art = graph.get_graph().draw_mermaid()
    print("OK", stopped["plan"], back.content, history > 2, "ask" in art, len(orjson.dumps(last["notes"])) > 10)


if __name__ == "__main__":
    main()
