"""Score formulas simplified by equality saturation."""
from __future__ import annotations

from egglog import EGraph, Expr, StringLike, i64, i64Like, rewrite, ruleset


class Score(Expr):
    def __init__(self, value: i64Like) -> None: ...

    @classmethod
    def var(cls, name: StringLike) -> Score: ...

    def __add__(self, other: Score) -> Score: ...

    def __mul__(self, other: Score) -> Score: ...


@ruleset
def algebra(a: Score, b: Score, c: Score, i: i64, j: i64):
    yield rewrite(a + b).to(b + a)
    yield rewrite(a * b).to(b * a)
    yield rewrite((a + b) + c).to(a + (b + c))
    yield rewrite(a * (b + c)).to(a * b + a * c)
    yield rewrite(a * b + a * c).to(a * (b + c))
    yield rewrite(Score(i) + Score(j)).to(Score(i + j))
    yield rewrite(Score(i) * Score(j)).to(Score(i * j))
    yield rewrite(a * Score(1)).to(a)
    yield rewrite(a + Score(0)).to(a)
    yield rewrite(a * Score(0)).to(Score(0))


def simplify(expression: Score, rounds: int = 6) -> tuple[str, int]:
    egraph = EGraph()
    root = egraph.let("root", expression)
    egraph.run(algebra * rounds)
    best, cost = egraph.extract(root, include_cost=True)
    return str(best), int(cost)


def equal(left: Score, right: Score) -> bool:
    egraph = EGraph()
    a, b = egraph.let("a", left), egraph.let("b", right)
    egraph.run(algebra * 6)
    return egraph.check_bool(a == b)
