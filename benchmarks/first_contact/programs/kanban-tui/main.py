"""A kanban board in the terminal, driven by Textual's pilot: modal dialogs, lists, reactive state, CSS in a file, a card file being watched."""
import asyncio
import tempfile
import tomllib
from pathlib import Path

import tomli_w
from pydantic import BaseModel, Field
from textual.app import App, ComposeResult
from textual.command import Hit, Provider
from textual.containers import Horizontal, Vertical
from textual.reactive import reactive
from textual.screen import ModalScreen
from textual.validation import Length
from textual.widgets import Button, Checkbox, Digits, Input, Label, ListItem, ListView, OptionList, ProgressBar, Select, Sparkline, Static, Switch
from watchfiles import awatch

root = Path(tempfile.mkdtemp())
(root / "app.tcss").write_text("Vertical { width: 1fr; border: round $primary; } #new { align: center middle; } ProgressBar { dock: bottom; }")


class Card(BaseModel):
    title: str = Field(min_length=1)
    column: str = "todo"


class Board(BaseModel):
    cards: list[Card] = []

    def save(self):
        (root / "board.toml").write_text(tomli_w.dumps(self.model_dump()))


class NewCard(ModalScreen[str]):
    def compose(self) -> ComposeResult:
        with Vertical(id="new"):
            yield Label("New card")
            yield Input(id="title", validators=[Length(minimum=1)])
            yield Select([("todo", "todo"), ("done", "done")], value="todo", id="col")
            yield Checkbox("urgent")
            yield Switch()
            yield Button("Add", id="add", variant="primary")

    def on_button_pressed(self):
        self.dismiss(self.query_one("#title", Input).value)


class Commands(Provider):
    async def search(self, query):
        yield Hit(1, "Clear board", self.app.action_clear)


class Kanban(App):
    CSS_PATH = root / "app.tcss"
    BINDINGS = [("n", "new", "New"), ("c", "clear", "Clear")]
    COMMANDS = App.COMMANDS | {Commands}
    count = reactive(0)

    def __init__(self):
        super().__init__()
        self.board = Board()
        self.reloaded = 0

    def compose(self) -> ComposeResult:
        yield Digits("0", id="n")
        with Horizontal():
            for name in ("todo", "done"):
                with Vertical():
                    yield Static(name)
                    yield ListView(id=name)
        yield OptionList("red", "green")
        yield Sparkline([1, 2, 3])
        yield ProgressBar(total=5, show_eta=False)

    def on_mount(self):
        self.run_worker(self.watch_file(), exclusive=True)

    async def watch_file(self):
        async for _ in awatch(root, debounce=100, step=20):
            self.reloaded = len(Board.model_validate(tomllib.loads((root / "board.toml").read_text())).cards)

    def watch_count(self, value):
        if self.is_mounted:
            self.query_one("#n", Digits).update(str(value))

    def action_new(self):
        self.push_screen(NewCard(), self.added)

    def action_clear(self):
        self.board.cards.clear()
        self.count = 0

    def added(self, title):
        self.board.cards.append(Card(title=title))
        self.board.save()
        self.query_one("#todo", ListView).append(ListItem(Label(title)))
        self.count = len(self.board.cards)
        self.query_one(ProgressBar).advance(1)


async def drive():
    app = Kanban()
    async with app.run_test(size=(100, 50)) as pilot:
        await asyncio.sleep(0.5)
        for word in ("tea", "milk"):
            await pilot.press("n")
            await pilot.pause()
            await pilot.click("#title")
            await pilot.press(*word)
            await pilot.click("#add")
            await pilot.pause(0.3)
        for _ in range(40):
            if app.reloaded == 2:
                break
            await pilot.pause(0.1)
        digits = app.query_one("#n", Digits).value
        items = len(app.query_one("#todo", ListView).children)
        theme = app.theme
        await pilot.press("c")
        svg = app.export_screenshot()
    return digits, items, app.reloaded, app.count, theme, "<svg" in svg


if __name__ == "__main__":
    print("OK", *asyncio.run(drive()))
