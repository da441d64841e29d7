"""A laboratory notebook: a marimo app run as a program, its cells reactive, a second notebook converted to HTML and to Markdown, charts by Altair from Polars."""
import marimo

app = marimo.App(width="medium")


@app.cell
def imports():
    import altair as alt
    import marimo as mo
    import polars as pl

    return alt, mo, pl


@app.cell
def data(pl):
    frame = pl.DataFrame({"x": range(10), "y": [n * n % 7 for n in range(10)]})
    return (frame,)


@app.cell
def chart(alt, frame):
    plot = alt.Chart(frame).mark_line().encode(x="x", y="y").properties(title="seven")
    return (plot,)


@app.cell
def controls(frame, mo):
    slider = mo.ui.slider(0, 9, value=4)
    table = mo.ui.table(frame, selection="single")
    return slider, table


@app.cell
def words(frame, mo, slider):
    page = mo.md(f"value **{slider.value}**, rows {frame.height}")
    return (page,)


@app.cell
def query(frame, slider, pl):
    chosen = frame.filter(pl.col("x") <= slider.value)["y"].sum()
    return (chosen,)


@app.function
def double(x):
    return 2 * x


def main():
    outputs, defs = app.run()
    spec = defs["plot"].to_dict()
    html = defs["page"].text
    print("OK", defs["chosen"], defs["slider"].value, double(4), spec["title"], spec["mark"]["type"], "<strong>4</strong>" in html, "marimo-table" in defs["table"].text, len(outputs))


if __name__ == "__main__":
    main()
