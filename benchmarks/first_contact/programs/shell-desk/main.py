"""A shell for a seed store on cmd2: command sets, subcommands, settings, aliases and macros, redirection to files, scripts; tables by tabulate, charts by plotext, a banner by pyfiglet, boxes by blessed, a drop folder watched by watchfiles. Without arguments it runs a script of the store's day."""
import argparse
import io
import os
import re
import sys
import tempfile
import threading
from pathlib import Path

import cmd2
import plotext
import pyfiglet
from blessed import Terminal
from pydantic import ValidationError
from rich.table import Table
from rich_argparse import RichHelpFormatter
from tabulate import tabulate, tabulate_formats
from watchfiles import Change, DefaultFilter, watch

from commands import VaultCommands, add_parser, find_parser, list_parser, seed_parser
from stock import Seed, Store

ANSI = re.compile(r"\x1b\[[0-9;]*m|\x1b\(B")


class Shell(cmd2.Cmd):
    def __init__(self, stdout, drop):
        super().__init__(stdout=stdout, allow_cli_args=False, include_py=True, shortcuts={**cmd2.DEFAULT_SHORTCUTS, "+": "seed add"}, multiline_commands=["note"], suggest_similar_command=True)
        self.store, self.drop, self.notes, self.errors = Store(), drop, [], 0
        self.waiting = lambda: None
        self.tables = "simple"
        self.prompt = "seeds> "
        self.add_settable(cmd2.Settable("tables", str, "form of the tables", self, choices=sorted(tabulate_formats)))
        self.register_cmdfinalization_hook(self.count)

    def count(self, data: cmd2.plugin.CommandFinalizationData) -> cmd2.plugin.CommandFinalizationData:
        self.last = data.statement.command if data.statement else ""
        return data

    def perror(self, *objects, **kwargs):
        self.errors += 1
        self.poutput("!", ANSI.sub("", str(objects[0])))

    @cmd2.with_argparser(list_parser)
    def do_list(self, args):
        """List the seeds."""
        rows = sorted((s.model_dump() for s in self.store.seeds.values()), key=lambda r: r[args.sort])
        self.poutput(tabulate(rows, headers="keys", tablefmt=args.format or self.tables, floatfmt=".2f"), markup=False)

    @cmd2.with_argparser(seed_parser)
    def do_seed(self, args):
        """Work on single seeds."""
        args.cmd2_subcommand_func(args)

    @cmd2.as_subcommand_to("seed", "add", add_parser, help="add a seed")
    def seed_add(self, args):
        try:
            self.store.add(Seed(name=args.name, grams=args.grams, price=args.price, family=args.family))
        except ValidationError as error:
            self.perror("; ".join(f"{e['loc'][0]}: {e['msg']}" for e in error.errors()))

    @cmd2.as_subcommand_to("seed", "find", find_parser, help="find a seed", aliases=["near"])
    def seed_find(self, args):
        for name, distance, sound in self.store.near(args.word, args.top):
            self.poutput(f"{name} ({distance}, {sound})")

    def do_chart(self, statement):
        """A chart of the grams by family."""
        sums = self.store.by_family()
        figure = plotext.figure
        figure.clear()
        figure.theme("clear")
        figure.plot_size(44, 12)
        figure.title("grams")
        figure.draw(figure.bar(list(sums), list(sums.values())))
        lines = ANSI.sub("", str(figure.build())).splitlines()
        self.poutput("\n".join(line.rstrip() for line in lines), markup=False)

    def do_note(self, statement):
        """Keep a note of several lines, ended by a semicolon."""
        self.notes.append(" ".join(statement.args.split()))
        self.poutput(f"note {len(self.notes)}: {self.notes[-1]}")

    def do_import(self, statement):
        """Wait for the next file in the drop folder and load it."""
        self.waiting()
        only = DefaultFilter(ignore_entity_patterns=(r"\.part$",))
        for changes in watch(self.drop, watch_filter=only, debounce=100, step=20, rust_timeout=5000, yield_on_timeout=True, raise_interrupt=False):
            for change, path in sorted(changes):
                if change is Change.added:
                    self.poutput(f"{os.path.basename(path)}: {self.store.load(Path(path).read_text())} seeds")
            break

    def do_families(self, statement):
        """The families as a Rich table."""
        table = Table("family", "grams", title="families")
        for family, grams in self.store.by_family().items():
            table.add_row(family, f"{grams:.1f}")
        self.poutput(table)


def script(folder):
    return f"""
seed add Tomato 12 3.20 --family solanaceae
+ Basil 3.5 2.80 --family lamiaceae
seed add "Sweet pepper" 8 4.10 --family solanaceae
seed add Xx -1 free
seed add Thyme 1.5 2.10 --family lamiaceae
list
list -f github -s price
set tables rst
list -s grams
seed find tomatoe
seed near thime --top 1
alias create cheap list --format tsv --sort price
cheap
macro create twice seed add {{1}} {{2}} 1.00 --family {{3}}
macro list
twice Lentil 50 fabaceae
import
chart
families
note buy more
  pots and soil;
list -f html > {folder}/list.html
lst
set tables nothing
vault seal {folder}/store.box
vault open {folder}/broken.box
shortcuts
history -x 2
"""


def banner(width=48):
    text = pyfiglet.figlet_format("Seeds", font="small", width=width)
    term = Terminal(kind="xterm-256color", stream=io.StringIO(), force_styling=True)
    styled = term.bold_green("store") + " " + term.on_color_rgb(20, 40, 20)("open")
    print("\n".join(line.rstrip() for line in text.rstrip().splitlines()))
    print("banner", term.length(styled), repr(term.strip_seqs(term.center(styled, 20))), term.wrap(term.red("seeds by the gram and the pound"), 16).__len__(), term.number_of_colors, repr(pyfiglet.figlet_format("ok", font="digital").split("\n")[1].rstrip()))


def main():
    parser = argparse.ArgumentParser(description="The seed store.", formatter_class=RichHelpFormatter)
    parser.add_argument("--script", type=Path, help="a file with commands")
    parser.add_argument("--interactive", action="store_true")
    options = parser.parse_args()
    banner()
    with tempfile.TemporaryDirectory() as name:
        folder, drop = Path(name), Path(name) / "drop"
        drop.mkdir()
        out = io.StringIO()
        shell = Shell(sys.stdout if options.interactive else out, drop)
        shell.register_command_set(VaultCommands("spring"))
        if options.interactive:
            return shell.cmdloop()
        (folder / "broken.box").write_bytes(b"gAAAAA")
        order = '[{"name": "Dill", "grams": 6, "price": 1.9, "family": "apiaceae"}, {"name": "Carrot", "grams": 9, "price": 1.5, "family": "apiaceae"}]'

        def deliver():
            (drop / "order.part").write_text(order)
            os.rename(drop / "order.part", drop / "order.json")

        shell.waiting = threading.Timer(0.8, deliver).start
        lines = (options.script.read_text() if options.script else script(folder)).strip().splitlines()
        at = lines.index("note buy more") if "note buy more" in lines else len(lines)
        lines[at:at + 2] = ["\n".join(lines[at:at + 2])] if at < len(lines) else []
        shell.runcmds_plus_hooks(lines)
        print("\n".join(line.rstrip() for line in ANSI.sub("", out.getvalue()).replace(name, "DIR").splitlines()))
        html = (folder / "list.html").read_text()
        other = Shell(io.StringIO(), drop)
        other.register_command_set(VaultCommands("autumn"))
        other.onecmd_plus_hooks(f"vault open {folder}/store.box")
        print("other", other.stdout.getvalue().strip(), "| last", other.last, "| html rows", html.count("<tr>"))
        shell.unregister_command_set(next(s for s in shell.find_commandsets(VaultCommands)))
        found = shell.complete("so", "seed f", 5, 6)
        print("commands", sorted(c for c in shell.get_visible_commands() if c in ("chart", "import", "list", "seed", "vault")), type(found).__name__)
    assert len(shell.store.seeds) == 7 and shell.errors >= 3, (len(shell.store.seeds), shell.errors)
    print("OK", sorted(shell.store.seeds), shell.errors)


if __name__ == "__main__":
    sys.exit(main())
