"""A laboratory page in Gradio: blocks with state and events, a theme, examples, served by its own server and called by Gradio's client."""
import os
import tempfile
from pathlib import Path

os.environ.update(GRADIO_ANALYTICS_ENABLED="False", HF_HUB_OFFLINE="1", GRADIO_TEMP_DIR=tempfile.mkdtemp(), NO_PROXY="127.0.0.1,localhost")
import gradio as gr
import httpx
import pandas as pd
from gradio_client import Client, handle_file


def stats(text, upper, history):
    words = text.split()
    history = history + [len(words)]
    return (text.upper() if upper else text), pd.DataFrame({"word": words, "n": [len(w) for w in words]}), history


def size(path):
    return f"{len(Path(path).read_bytes())} bytes"


def count(n):
    for i in range(int(n)):
        yield i


def build():
    with gr.Blocks(title="Lab") as demo:
        history = gr.State([])
        gr.Markdown("# Lab $x^2$")
        with gr.Row():
            text = gr.Textbox(label="Text", placeholder="say")
            upper = gr.Checkbox(label="upper")
            button = gr.Button("Go", variant="primary")
        out = gr.Textbox(label="Out")
        table = gr.Dataframe(label="Table")
        file = gr.File(label="File", type="filepath")
        length = gr.Label()
        number = gr.Slider(1, 5, value=3, step=1)
        last = gr.Number()
        button.click(stats, [text, upper, history], [out, table, history], api_name="stats")
        file.upload(size, file, length, api_name="size")
        number.release(count, number, last, api_name="count")
        gr.Examples([["a b", True]], [text, upper])
    return demo


def main():
    demo = build()
    _, url, _ = demo.launch(prevent_thread_lock=True, quiet=True, server_name="127.0.0.1", theme=gr.themes.Soft(), css="h1 {color: red}", show_error=True)
    client = Client(url, verbose=False)
    out, table = client.predict("tea and milk", True, api_name="/stats")
    note = Path(tempfile.mkdtemp()) / "note.txt"
    note.write_text("12345")
    label = client.predict(handle_file(str(note)), api_name="/size")
    numbers = client.submit(3, api_name="/count")
    last = numbers.result(timeout=10)
    page = httpx.get(url, trust_env=False)
    info = httpx.get(url + "gradio_api/info", trust_env=False).json()
    demo.close(verbose=False)
    print("OK", out, table["data"], label["label"] if isinstance(label, dict) else label, last, page.status_code, sorted(info["named_endpoints"]))


if __name__ == "__main__":
    main()
