"""A board in Streamlit: a page of widgets, cached functions, a form, Polars frames and a Plotly chart, run and clicked by Streamlit's own test client, settings read from TOML."""
import json
import logging

import orjson
import plotly.express as px
import polars as pl
from streamlit.testing.v1 import AppTest

PAGE = '''
import plotly.express as px
import polars as pl
import streamlit as st

st.set_page_config(page_title="Sales", layout="wide")

@st.cache_data
def load(n):
    return pl.DataFrame({"day": range(n), "cents": [i * i for i in range(n)]})

n = st.sidebar.slider("days", 1, 20, 5)
frame = load(n)
st.title("Sales")
st.dataframe(frame)
st.metric("sum", int(frame["cents"].sum()), delta=1)
st.plotly_chart(px.line(frame, x="day", y="cents"))
st.bar_chart(frame, x="day", y="cents")
with st.form("note"):
    text = st.text_input("note")
    if st.form_submit_button("keep"):
        st.session_state["note"] = text
st.markdown(f"note: **{st.session_state.get('note', '-')}**")
tab, other = st.tabs(["a", "b"])
tab.json({"a": 1})
other.download_button("csv", frame.write_csv())
'''


def main():
    logging.disable(logging.CRITICAL)
    board = AppTest.from_string(PAGE, default_timeout=60).run()
    assert not board.exception, [e.message for e in board.exception]
    first = board.metric[0].value
    board.sidebar.slider[0].set_value(10).run()
    second = board.metric[0].value
    board.text_input[0].input("seen")
    board.button[0].click().run()
    notes = [m.value for m in board.markdown]
    frame = board.dataframe[0].value
    figure = px.bar(pl.DataFrame({"a": [1, 2], "b": [3, 4]}), x="a", y="b")
    size = len(orjson.loads(orjson.dumps(json.loads(figure.to_json())))["data"])
    print("OK", board.title[0].value, first, second, notes, tuple(frame.shape), size)


main()
