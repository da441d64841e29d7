"""A press for notebooks: Jupytext to nbformat, validated, exported by nbconvert to HTML, Markdown and Python, cleaned by nh3."""
import logging

import jupytext
import nbformat
import nh3
from nbconvert import HTMLExporter, MarkdownExporter, PythonExporter, get_exporter
from nbconvert.preprocessors import RegexRemovePreprocessor, TagRemovePreprocessor
from nbformat.v4 import new_output
from traitlets.config import Config

TEXT = """# ---
# jupyter:
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # Report
# Some *text*, a formula $x^2$, a [link](https://example.org "t") and <b onclick="x()">bold</b>.

# %% tags=["hide"]
secret = 1

# %%
total = sum(range(10))
total

# %%
"""


def main():
    logging.disable(logging.WARNING)
    nb = jupytext.reads(TEXT, fmt="py:percent")
    for i, cell in enumerate(nb.cells):
        cell["id"] = f"c{i}"
        if cell.cell_type == "code" and cell.source.endswith("total"):
            cell.outputs = [new_output("execute_result", {"text/plain": "45", "text/html": "<i>45</i>"}, execution_count=1),
                            new_output("stream", name="stdout", text="\x1b[31mred\x1b[0m\n")]
            cell.execution_count = 1
    nb.metadata.setdefault("language_info", {"name": "python", "file_extension": ".py", "mimetype": "text/x-python", "pygments_lexer": "ipython3"})
    nbformat.validate(nb)
    try:
        nbformat.validate({"cells": [{}], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
        bad = None
    except nbformat.ValidationError as e:
        bad = e.validator if hasattr(e, "validator") else type(e).__name__
    c = Config()
    c.TagRemovePreprocessor.remove_cell_tags = {"hide"}
    c.RegexRemovePreprocessor.patterns = [r"\s*\Z"]
    c.HTMLExporter.preprocessors = [TagRemovePreprocessor, RegexRemovePreprocessor]
    html, res = HTMLExporter(config=c, template_name="lab").from_notebook_node(nb)
    basic, _ = HTMLExporter(template_name="basic").from_notebook_node(nb)
    md, _ = MarkdownExporter().from_notebook_node(nb)
    py, _ = PythonExporter().from_notebook_node(nb)
    slides, _ = get_exporter("slides")().from_notebook_node(nb)
    clean = nh3.clean(basic, tags={"h1", "p", "b", "a", "i", "em", "span"}, link_rel="noopener")
    marked = jupytext.writes(nb, fmt="md")
    assert "secret" not in html and "45" in html and "onclick" not in clean
    print("OK", bad, len(html) > 100_000, res["output_extension"], "<b>bold</b>" in clean, "```python" in md, "# In[" in py, "reveal" in slides,
          nbformat.convert(nb, 3).nbformat, marked.count("```"))


if __name__ == "__main__":
    main()
