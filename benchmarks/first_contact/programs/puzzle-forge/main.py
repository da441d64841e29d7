"""A puzzle workshop: chess tactics, answer set programs, integer programs and formula rewriting."""
import tempfile
from pathlib import Path

import chess
import clingo
import pulp
from clingo.symbol import Number
from pydantic import ValidationError

from puzzles.boards import picture, read_games, search
from puzzles.models import PUZZLES, Club, Knapsack, Tactic
from puzzles.symbolic import Score, equal, simplify

BASE = Path(__file__).resolve().parent


class Ratings:
    """Functions that the logic program may call."""

    def __init__(self, ratings):
        self.ratings = ratings

    def rating_gap(self, a, b):
        return Number(abs(self.ratings[a.string] - self.ratings[b.string]))


def count_queens(n: int) -> tuple[int, list[str]]:
    control = clingo.Control(["0", f"-cn={n}"])
    control.load(str(BASE / "logic" / "queens.lp"))
    control.ground([("base", [])])
    models = []
    with control.solve(yield_=True) as handle:
        for model in handle:
            models.append(sorted(str(a) for a in model.symbols(shown=True)))
    return len(models), min(models) if models else []


def solve_club(club: Club):
    control = clingo.Control(["--opt-mode=opt"])
    control.load(str(BASE / "logic" / "rota.lp"))
    control.add("facts", [], "\n".join(f'wish("{p}",{w}).' for p, w in club.wishes.items()))
    control.ground([("facts", []), ("base", [])], context=Ratings(club.ratings))
    best = []
    result = control.solve(on_model=lambda m: best.append((list(m.cost), m.symbols(shown=True))))
    cost, symbols = best[-1]
    tables = {}
    for symbol in symbols:
        tables.setdefault(symbol.arguments[1].number, []).append(symbol.arguments[0].string)
    gaps = [abs(club.ratings[a] - club.ratings[b]) for a, b in tables.values()]
    return bool(result.satisfiable), cost[0], max(gaps) <= 400


def solve_knapsack(box: Knapsack, folder: Path):
    problem = pulp.LpProblem(box.name.replace(" ", "_"), pulp.LpMaximize)
    take = pulp.LpVariable.dicts("take", list(box.items), cat=pulp.LpBinary)
    problem += pulp.lpSum(box.items[i][1] * take[i] for i in box.items), "value"
    problem += pulp.lpSum(box.items[i][0] * take[i] for i in box.items) <= box.capacity, "weight"
    problem += take["clock"] + take["cup"] <= 1, "exclusive"
    problem.solve(pulp.PULP_CBC_CMD(msg=False))
    problem.writeLP(str(folder / "box.lp"))
    _, again = pulp.LpProblem.from_dict(problem.to_dict())
    again.solve(pulp.PULP_CBC_CMD(msg=False))
    chosen = sorted(i for i in box.items if take[i].value() > 0.5)
    return pulp.LpStatus[problem.status], chosen, pulp.value(problem.objective), again.objective.value()


def main():
    puzzles = PUZZLES.validate_json((BASE / "puzzles.json").read_bytes())
    solved = 0
    with tempfile.TemporaryDirectory() as tmp:
        for puzzle in puzzles:
            match puzzle:
                case Tactic():
                    board = chess.Board(puzzle.fen)
                    line = []
                    for _ in range(2 * puzzle.mate_in - 1):
                        _, move = search(board, 2 * puzzle.mate_in - len(line))
                        line.append(board.san(move))
                        board.push(move)
                    solved += board.is_checkmate()
                    print(f"{puzzle.name}: {' '.join(line)} mate={board.is_checkmate()} outcome {board.outcome().termination.name}")
                    (Path(tmp) / "board.svg").write_text(picture(board))
                case Knapsack():
                    status, chosen, value, again = solve_knapsack(puzzle, Path(tmp))
                    solved += status == "Optimal"
                    print(f"{puzzle.name}: {status} {chosen} value {value:.0f}, reloaded {again:.0f}")
                case Club():
                    ok, missed, fair = solve_club(puzzle)
                    solved += ok
                    print(f"{puzzle.name}: seated {ok}, wishes missed {missed}, fair {fair}")
        print("svg:", "<svg" in (Path(tmp) / "board.svg").read_text())
    try:
        PUZZLES.validate_python([{"kind": "tactic", "name": "x", "fen": "8/8/8/8/8/8/8/8 w - - 0 1", "mate_in": 1}])
    except ValidationError as exc:
        print("refused:", exc.errors()[0]["loc"], exc.errors()[0]["msg"])
    for n in (4, 6, 8):
        number, first = count_queens(n)
        print(f"{n} queens: {number} solutions, first {first[:2]}")
    for game, (captures, checks, variations) in read_games(BASE / "games.pgn"):
        final = game.end().board()
        print(f"{game.headers['Event']}: {final.fullmove_number} moves, {captures} captures, {checks} checks, "
              f"{variations} variations, {final.outcome().result()} {chess.WHITE and final.fen().split()[0]}")
    x, y = Score.var("x"), Score.var("y")
    text, cost = simplify((x * Score(1) + Score(0)) * Score(3) + y * (Score(2) + Score(1)))
    print("simplified:", text.replace("\n", " ; "), "cost", cost)
    print("equal:", equal(x * (y + Score(2)), y * x + Score(2) * x), equal(x + y, x * y))
    print(f"OK {solved} of {len(puzzles)} puzzles")


if __name__ == "__main__":
    main()
