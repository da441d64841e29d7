"""A gate of policies: Cedar for who may do what, CEL for conditions on requests, a table of decisions from a Typer command."""
import io
import json
from datetime import datetime, timedelta, timezone

import cedarpy
import cel
import typer
from pydantic import BaseModel, TypeAdapter
from rich.console import Console
from rich.table import Table
from typer.testing import CliRunner

POLICIES = """
permit(principal in Group::"editors", action in [Action::"read", Action::"write"], resource) when { resource.open || principal.level > 3 };
forbid(principal, action == Action::"write", resource) unless { context.mfa };
"""
SCHEMA = {"": {
    "entityTypes": {
        "Group": {}, "User": {"memberOfTypes": ["Group"], "shape": {"type": "Record", "attributes": {"level": {"type": "Long"}}}},
        "Doc": {"shape": {"type": "Record", "attributes": {"open": {"type": "Boolean"}}}},
    },
    "actions": {a: {"appliesTo": {"principalTypes": ["User"], "resourceTypes": ["Doc"], "context": {"type": "Record", "attributes": {"mfa": {"type": "Boolean"}}}}} for a in ("read", "write")},
}}
ENTITIES = [
    {"uid": {"type": "Group", "id": "editors"}, "attrs": {}, "parents": []},
    {"uid": {"type": "User", "id": "ann"}, "attrs": {"level": 5}, "parents": [{"type": "Group", "id": "editors"}]},
    {"uid": {"type": "User", "id": "bob"}, "attrs": {"level": 1}, "parents": [{"type": "Group", "id": "editors"}]},
    {"uid": {"type": "Doc", "id": "plan"}, "attrs": {"open": False}, "parents": []},
]
RULE = "request.time - user.since > duration('24h') && request.path.startsWith('/doc/') && size(user.roles.filter(r, r in ['editor', 'admin'])) > 0"
app = typer.Typer()


class Ask(BaseModel):
    who: str
    action: str
    mfa: bool = False

    def as_request(self):
        return {"principal": f'User::"{self.who}"', "action": f'Action::"{self.action}"', "resource": 'Doc::"plan"', "context": {"mfa": self.mfa}}


def decide(asks):
    results = cedarpy.is_authorized_batch([a.as_request() for a in asks], POLICIES, ENTITIES, schema=json.dumps(SCHEMA))
    return [r.decision.value for r in results]


def condition(path, age):
    now = datetime(2026, 5, 1, tzinfo=timezone.utc)
    ctx = {"request": {"time": now, "path": path}, "user": {"since": now - timedelta(hours=age), "roles": ["editor"]}}
    return cel.evaluate(RULE, ctx)


@app.command()
def gate(asks: str):
    rows = TypeAdapter(list[Ask]).validate_json(asks)
    table = Table("who", "action", "decision", title="gate")
    for a, d in zip(rows, decide(rows)):
        table.add_row(a.who, a.action, d)
    buf = io.StringIO()
    Console(file=buf, width=50).print(table)
    typer.echo(buf.getvalue())


def main():
    asks = [Ask(who="ann", action="read"), Ask(who="ann", action="write"), Ask(who="ann", action="write", mfa=True), Ask(who="bob", action="read")]
    r = CliRunner().invoke(app, [TypeAdapter(list[Ask]).dump_json(asks).decode()], catch_exceptions=False)
    valid = cedarpy.validate_policies(POLICIES, json.dumps(SCHEMA)).validation_passed
    pretty = cedarpy.format_policies(POLICIES).count("\n")
    conds = [condition("/doc/1", 48), condition("/doc/1", 2), condition("/x", 48)]
    try:
        cel.evaluate("1 +", {})
        bad = None
    except ValueError as e:
        bad = type(e).__name__
    assert r.output.count("Allow") == 2, r.output
    print("OK", decide(asks), valid, pretty > 3, conds, bad, cel.evaluate("[1, 2, 3].map(x, x * 2)", {}))


if __name__ == "__main__":
    main()
