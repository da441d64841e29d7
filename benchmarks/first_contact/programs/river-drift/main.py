"""Learning online: a River pipeline with Rust statistics, drift detection, metrics, a forest, progress in Rich, and the stream kept in Polars."""
import io
import random

import polars as pl
import typer
from rich.console import Console
from river import anomaly, compose, drift, forest, linear_model, metrics, preprocessing, stats
from typer.testing import CliRunner

app = typer.Typer()


def stream(n):
    rng = random.Random(5)
    for i in range(n):
        a, b = rng.random(), rng.random()
        yield {"a": a, "b": b, "w": rng.choice("xyz")}, (a > b) if i < n // 2 else (a < b)


@app.command()
def learn(n: int = 1200):
    model = compose.Pipeline(compose.TransformerUnion(compose.SelectType(str) | preprocessing.OneHotEncoder(), compose.SelectType(float) | preprocessing.StandardScaler()), linear_model.LogisticRegression())
    trees = forest.ARFClassifier(seed=1, n_models=3)
    acc, f1 = metrics.Accuracy(), metrics.F1()
    detector = drift.ADWIN()
    quantile, skew = stats.Quantile(0.9), stats.Skew()
    half = anomaly.HalfSpaceTrees(seed=2)
    rows = []
    for i, (x, y) in enumerate(stream(n)):
        p = model.predict_one(x)
        acc.update(y, p)
        f1.update(y, trees.predict_one({k: v for k, v in x.items() if k != "w"}) or False)
        detector.update(int(p != y))
        if detector.drift_detected:
            rows.append({"at": i})
        model.learn_one(x, y)
        num = {k: v for k, v in x.items() if k != "w"}
        trees.learn_one(num, y)
        half.learn_one(num)
        quantile.update(x["a"])
        skew.update(x["b"])
    frame = pl.DataFrame(rows, schema={"at": pl.Int64})
    out = io.StringIO()
    Console(file=out, width=50).print("[b]done[/b]", acc)
    assert "done" in out.getvalue()
    typer.echo(f"OK {frame.height > 0} {acc.get():.2f} {f1.get() > 0.5} {quantile.get():.2f} {round(skew.get(), 1)}")


result = CliRunner().invoke(app, ["--n", "1200"])
assert result.exit_code == 0, (result.output, result.exception)
print(result.output.strip().splitlines()[-1])
