"""Chess: games from PGN, tactics, a polite little engine."""
import io
from pathlib import Path

import chess
import chess.pgn
import chess.svg

VALUES = {chess.PAWN: 100, chess.KNIGHT: 320, chess.BISHOP: 330, chess.ROOK: 500, chess.QUEEN: 900, chess.KING: 0}


def evaluate(board: chess.Board) -> int:
    if board.is_checkmate():
        return -100_000
    score = sum(v * (len(board.pieces(k, board.turn)) - len(board.pieces(k, not board.turn))) for k, v in VALUES.items())
    return score + board.legal_moves.count()


def search(board: chess.Board, depth: int, alpha: int = -10**9, beta: int = 10**9):
    if depth == 0 or board.is_game_over():
        return evaluate(board) - (depth * 10 if board.is_checkmate() else 0), None
    best = None
    for move in sorted(board.legal_moves, key=lambda m: (not board.is_capture(m), m.uci())):
        board.push(move)
        score = -search(board, depth - 1, -beta, -alpha)[0]
        board.pop()
        if score > alpha:
            alpha, best = score, move
        if alpha >= beta:
            break
    return alpha, best


class Annotator(chess.pgn.BaseVisitor):
    def begin_game(self):
        self.captures, self.checks, self.variations = 0, 0, 0

    def visit_move(self, board, move):
        self.captures += board.is_capture(move)
        self.checks += board.gives_check(move)

    def begin_variation(self):
        self.variations += 1

    def result(self):
        return self.captures, self.checks, self.variations


def read_games(path: Path):
    text = path.read_text()
    handle, again = io.StringIO(text), io.StringIO(text)
    while (game := chess.pgn.read_game(handle)) is not None:
        yield game, chess.pgn.read_game(again, Visitor=Annotator)


def picture(board: chess.Board) -> str:
    return chess.svg.board(board, size=240, lastmove=board.peek() if board.move_stack else None)
