"""The house's own rules: a Pylint checker, a flake8 plug-in and a LibCST codemod."""
import ast

import libcst as cst
import libcst.matchers as m
from astroid import nodes
from libcst.codemod import VisitorBasedCodemodCommand
from libcst.codemod.visitors import AddImportsVisitor, RemoveImportsVisitor
from libcst.metadata import PositionProvider, QualifiedNameProvider
from pylint.checkers import BaseChecker
from pylint.checkers.utils import only_required_for_messages


class MoneyChecker(BaseChecker):
    """Amounts of money are whole cents."""

    name = "house-money"
    msgs = {"C9101": ("Amount %r is given a float", "money-is-whole", "Keep money in cents.")}
    options = (("money-names", {"default": ("price", "amount"), "type": "csv", "metavar": "<names>", "help": "names that hold money"}),)

    @only_required_for_messages("money-is-whole")
    def visit_assign(self, node):
        for target in node.targets:
            if not isinstance(target, nodes.AssignName) or target.name not in self.linter.config.money_names:
                continue
            for value in node.value.infer():
                if isinstance(value, nodes.Const) and isinstance(value.value, float):
                    self.add_message("money-is-whole", node=node, args=(target.name,))


def register(linter):
    linter.register_checker(MoneyChecker(linter))


class PrintPlugin:
    """flake8: HS1, no print in a library."""

    name, version = "house-print", "1.0"

    def __init__(self, tree):
        self.tree = tree

    def run(self):
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
                yield node.lineno, node.col_offset, "HS1 print in a library", type(self)


class PathCodemod(VisitorBasedCodemodCommand):
    """os.path.join becomes a division of paths."""

    DESCRIPTION = "os.path.join to pathlib"

    def leave_Call(self, original_node, updated_node):
        if not m.matches(updated_node.func, m.Attribute(m.Attribute(m.Name("os"), m.Name("path")), m.Name("join"))):
            return updated_node
        AddImportsVisitor.add_needed_import(self.context, "pathlib", "Path")
        RemoveImportsVisitor.remove_unused_import(self.context, "os")
        first, *rest = [a.value for a in updated_node.args]
        result = cst.Call(cst.Name("Path"), [cst.Arg(first)])
        for part in rest:
            result = cst.BinaryOperation(result, cst.Divide(), part)
        return result


class Calls(cst.CSTVisitor):
    """Where which function is called, by its full name."""

    METADATA_DEPENDENCIES = (QualifiedNameProvider, PositionProvider)

    def __init__(self):
        super().__init__()
        self.names = set()

    def visit_Call(self, node):
        line = self.get_metadata(PositionProvider, node).start.line
        self.names |= {(q.name, line) for q in self.get_metadata(QualifiedNameProvider, node)}
