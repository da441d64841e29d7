"""Reads a bank statement, checks its accounts and back-tests strategies on exchange sessions."""
import json
import tempfile
from decimal import Decimal
from pathlib import Path

import exchange_calendars as xcals
import kand
import numpy as np
import pandas as pd
from liquid import CachingFileSystemLoader, Environment
from ofxtools.Parser import OFXTree
from pydantic import BaseModel, ImportString, TypeAdapter, ValidationError
from schwifty import BIC, IBAN
from schwifty.exceptions import SchwiftyException

BASE = Path(__file__).resolve().parent


class StrategyEntry(BaseModel):
    path: ImportString
    options: dict = {}

    def build(self):
        return self.path(**self.options)


class Settings(BaseModel):
    exchange: str
    compare: list[str]
    start: pd.Timestamp
    end: pd.Timestamp
    cash: float
    strategies: list[StrategyEntry]
    model_config = {"arbitrary_types_allowed": True}

    @classmethod
    def load(cls, path: Path):
        raw = json.loads(path.read_text())
        raw["start"], raw["end"] = pd.Timestamp(raw["start"]), pd.Timestamp(raw["end"])
        return cls.model_validate(raw)


class Counterparty(BaseModel):
    name: str
    iban: IBAN
    amount: Decimal

    @property
    def bank(self) -> str:
        return self.iban.bank_short_name or self.iban.bank_code


def read_statement():
    tree = OFXTree()
    with (BASE / "data" / "statement.ofx").open("rb") as handle:
        tree.parse(handle)
    ofx = tree.convert()
    statement = ofx.statements[0]
    print(f"statement {ofx.sonrs.fi.org} {statement.curdef} account {statement.account.acctid}, "
          f"{len(statement.transactions)} transactions, balance {statement.balance.balamt}")
    own = IBAN.generate("DE", bank_code=statement.account.bankid, account_code=statement.account.acctid)
    print("own account", own.formatted, own.bic, own.country.name)
    accepted, refused = [], []
    for t in statement.transactions:
        try:
            accepted.append(Counterparty(name=t.name, iban=t.memo, amount=t.trnamt))
        except (ValidationError, SchwiftyException) as exc:
            refused.append((t.name, type(exc).__name__))
    for party in accepted:
        print(f"  {party.name:12} {party.amount:>9} {party.iban.country_code} {party.bank}")
    print("refused:", refused)
    print("BICs of 37040044:", sorted(str(b) for b in BIC.candidates_from_bank_code("DE", "37040044")))
    total = sum((t.trnamt for t in statement.transactions), Decimal())
    return accepted, refused, total, statement


def make_bars(sessions: pd.DatetimeIndex) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(7)
    n = len(sessions)
    drift = 0.0004 + 0.012 * np.sin(np.arange(n) / 19.0) / 10
    close = 100 * np.exp(np.cumsum(drift + rng.normal(0, 0.011, n)))
    open_ = np.concatenate([[100.0], close[:-1]]) * (1 + rng.normal(0, 0.002, n))
    high = np.maximum(open_, close) * (1 + rng.uniform(0, 0.008, n))
    low = np.minimum(open_, close) * (1 - rng.uniform(0, 0.008, n))
    return {"open": open_, "high": high, "low": low, "close": close, "volume": rng.integers(1e5, 9e5, n).astype(float)}


def backtest(strategy, bars, cash):
    position = strategy.positions(bars)
    returns = np.diff(bars["close"]) / bars["close"][:-1]
    equity = cash * np.cumprod(1 + returns * position[:-1])
    return {"label": strategy.label, "total": round(float(equity[-1] / cash - 1), 4),
            "trades": int((np.diff(position) > 0).sum()),
            "drawdown": round(float((equity / np.maximum.accumulate(equity) - 1).min()), 4)}


def main():
    settings = Settings.load(BASE / "config.json")
    accepted, refused, total, statement = read_statement()

    calendar = xcals.get_calendar(settings.exchange, start="2022-01-03", end="2024-12-31")
    sessions = calendar.sessions_in_range(settings.start, settings.end)
    print(f"{settings.exchange}: {len(sessions)} sessions, {len(calendar.early_closes)} early closes,"
          f" tz {calendar.tz.key}, next after 2024-03-28: {calendar.next_session('2024-03-28').date()}")
    for code in settings.compare:
        other = xcals.get_calendar(code, start="2022-01-03", end="2024-12-31")
        common = sessions.intersection(other.sessions_in_range(settings.start, settings.end))
        print(f"  {code}: {len(common)} common sessions, 2024-04-01 open: {other.is_session('2024-04-01')}")
    for t in statement.transactions[:3]:
        day = pd.Timestamp(t.dtposted.date())
        settle = calendar.session_offset(calendar.date_to_session(day, "next"), 2)
        print(f"  {t.name} posted {day.date()} settles {settle.date()}")

    bars = make_bars(sessions)
    upper, middle, lower, *_ = kand.bbands(bars["close"], 20, 2.0, 2.0)
    atr = kand.atr(bars["high"], bars["low"], bars["close"], 14)
    adx, *_ = kand.adx(bars["high"], bars["low"], bars["close"], 14)
    doji = kand.cdl_doji(bars["open"], bars["high"], bars["low"], bars["close"], 5.0, 100.0)
    print(f"bands {lower[-1]:.2f}/{middle[-1]:.2f}/{upper[-1]:.2f} atr {atr[-1]:.3f} adx {adx[-1]:.2f} doji {int(doji.sum())}")
    ema = kand.ema(bars["close"], 20)
    live = kand.ema_inc(float(bars["close"][-1]), float(ema[-2]), 20)
    print("incremental EMA agrees:", bool(np.isclose(live, ema[-1])))

    results = [backtest(entry.build(), bars, settings.cash) for entry in settings.strategies]
    for r in results:
        print(f"{r['label']}: drawdown {r['drawdown']:.2%}")
    try:
        StrategyEntry(path="strategies.trend.MacdCross", options={"fast": 30}).build()
    except ValidationError as exc:
        print("bad strategy:", exc.errors()[0]["msg"])
    benchmark = round(float(bars["close"][-1] / bars["close"][0] - 1), 4)
    env = Environment(loader=CachingFileSystemLoader(BASE / "templates"), autoescape=False)
    text = env.get_template("report.liquid").render(
        results=results, benchmark=benchmark, accounts=[{"bank": a.bank} for a in accepted])
    with tempfile.TemporaryDirectory() as tmp:
        out = Path(tmp) / "report.txt"
        out.write_text(text)
        frame = pd.DataFrame(results).set_index("label")
        frame.to_json(Path(tmp) / "results.json", orient="index")
        back = TypeAdapter(dict[str, dict[str, float]]).validate_json((Path(tmp) / "results.json").read_bytes())
        print(out.read_text(), end="")
    print(f"OK {len(accepted)} accounts, {len(refused)} refused, net {total}, {len(back)} strategies")


if __name__ == "__main__":
    main()
