"""A gate for infrastructure: CloudFormation templates linted with all rules of cfn-lint, findings validated by Pydantic, shown by a Typer command."""
import json
import tempfile
from collections import Counter
from pathlib import Path

import typer
from cfnlint.api import ManualArgs, lint
from pydantic import BaseModel
from rich.console import Console
from typer.testing import CliRunner

app = typer.Typer()
TEMPLATE = {
    "AWSTemplateFormatVersion": "2010-09-09",
    "Parameters": {"Unused": {"Type": "String"}},
    "Resources": {
        "Box": {"Type": "AWS::S3::Bucket", "Properties": {"BucketNam": "x"}},
        "Fn": {"Type": "AWS::Lambda::Function", "Properties": {"Runtime": "python2.7", "Handler": "a.b", "Role": {"Ref": "Nope"}, "Code": {"ZipFile": "x"}}},
    },
}


class Finding(BaseModel):
    rule: str
    line: int
    message: str


@app.command()
def check(path: Path):
    found = [Finding(rule=m.rule.id, line=m.linenumber, message=m.message) for m in lint(path.read_text(), config=ManualArgs(regions=["us-east-1"]))]
    Console(stderr=True).print(found)
    counts = Counter(f.rule for f in found)
    typer.echo("OK " + json.dumps(dict(sorted(counts.items()))))


path = Path(tempfile.mkdtemp()) / "t.json"
path.write_text(json.dumps(TEMPLATE, indent=1))
result = CliRunner().invoke(app, [str(path)])
assert result.exit_code == 0, (result.output, result.exception)
line = result.output.strip().splitlines()[-1]
assert "E3002" in line and "W2001" in line, line
print(line)
