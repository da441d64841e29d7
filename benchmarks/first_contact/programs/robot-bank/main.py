"""Acceptance tests of a bank: a Robot Framework suite with a Python library, run in the process; log, report and xUnit files looked at, receipts signed."""
import sys
import tempfile
from pathlib import Path
from xml.etree import ElementTree

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jinja2 import Environment
from pydantic import BaseModel, PositiveInt
from robot import run
from robot.api import ExecutionResult
from robot.api.deco import keyword, library

SUITE = """
*** Settings ***
Library    {name}.Bank
Library    Collections
Library    String
Suite Setup    Open Account    kim    100

*** Test Cases ***
Money Moves
    Pay    kim    30
    ${{left}}=    Balance    kim
    Should Be Equal As Integers    ${{left}}    70

No Debts
    Run Keyword And Expect Error    *overdrawn*    Pay    kim    999

Wrong On Purpose
    ${{x}}=    Convert To Upper Case    abc
    Should Be Equal    ${{x}}    abc
"""
RECEIPT = Environment().from_string("{{ who }} paid {{ n }}")


class Order(BaseModel):
    who: str
    n: PositiveInt


@library(scope="GLOBAL")
class Bank:
    def __init__(self):
        self.accounts, self.key = {}, Ed25519PrivateKey.generate()

    @keyword
    def open_account(self, who: str, n: int):
        self.accounts[who] = n

    @keyword
    def pay(self, who: str, n: int):
        order = Order(who=who, n=n)
        if self.accounts[who] < order.n:
            raise AssertionError("overdrawn")
        text = RECEIPT.render(order.model_dump()).encode()
        self.key.public_key().verify(self.key.sign(text), text)
        self.accounts[who] -= order.n

    @keyword
    def balance(self, who: str):
        return self.accounts[who]


def main():
    d = Path(tempfile.mkdtemp())
    sys.modules.setdefault("robot_bank", sys.modules["__main__"])
    (d / "bank.robot").write_text(SUITE.format(name="robot_bank"))
    failed = run(str(d / "bank.robot"), outputdir=str(d), xunit="x.xml", stdout=open(d / "out", "w"), stderr=open(d / "err", "w"), loglevel="DEBUG")
    result = ExecutionResult(str(d / "output.xml"))
    page = (d / "log.html").read_text()
    cases = ElementTree.parse(d / "x.xml").getroot()
    print("OK", failed, result.statistics.total.passed, result.statistics.total.failed, len(page) > 100000, cases.get("tests"))


if __name__ == "__main__":
    main()
