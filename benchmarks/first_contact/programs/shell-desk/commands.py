"""Parsers of the shell's commands and the command set that needs a password."""
from pathlib import Path

import cmd2


def list_parser():
    parser = cmd2.Cmd2ArgumentParser(description="List the seeds.")
    parser.add_argument("-f", "--format", choices=["plain", "github", "html", "latex", "rst", "tsv"], help="form of the table; else the setting")
    parser.add_argument("-s", "--sort", choices=["name", "grams", "price"], default="name")
    return parser


def seed_parser():
    parser = cmd2.Cmd2ArgumentParser(description="Work on single seeds.")
    parser.add_subparsers(dest="what", metavar="WHAT", required=True)
    return parser


def add_parser():
    parser = cmd2.Cmd2ArgumentParser(description="Add a seed.")
    parser.add_argument("name")
    parser.add_argument("grams")
    parser.add_argument("price")
    parser.add_argument("--family", default="unknown")
    return parser


def find_parser():
    parser = cmd2.Cmd2ArgumentParser(description="Find a seed by its sound.")
    parser.add_argument("word")
    parser.add_argument("--top", type=int, default=2)
    return parser


class VaultCommands(cmd2.CommandSet):
    """Loaded when the store has a password."""

    def __init__(self, password):
        super().__init__()
        self.password = password

    vault = cmd2.Cmd2ArgumentParser(description="Seal the store to a file or open one.")
    vault.add_argument("action", choices=["seal", "open"])
    vault.add_argument("file", type=Path, completer=cmd2.Cmd.path_complete)

    @cmd2.with_argparser(vault)
    def do_vault(self, args):
        """Seal the store to a file or open one."""
        if args.action == "seal":
            args.file.write_bytes(self._cmd.store.seal(self.password))
            return self._cmd.poutput(f"sealed {len(self._cmd.store.seeds)} seeds")
        try:
            self._cmd.poutput(f"opened {self._cmd.store.unseal(self.password, args.file.read_bytes())} seeds")
        except ValueError as error:
            self._cmd.perror(str(error))
