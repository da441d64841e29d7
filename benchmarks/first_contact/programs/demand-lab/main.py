"""A lab for a shop's demand: a panel made by Polars, checked by pydantic, encoded by category_encoders, LightGBM against scikit-learn's pipelines, statsmodels for the season and the elasticity, Seaborn for the picture. Subcommands, or all of them without arguments."""
import argparse
import io
import json
import sys
import tempfile
from datetime import date, timedelta
from pathlib import Path

import joblib
import lightgbm as lgb
import numpy as np
import polars as pl
import statsmodels.api as sm
import statsmodels.formula.api as smf
from category_encoders import BinaryEncoder, TargetEncoder
from imblearn.over_sampling import SMOTE
from imblearn.pipeline import make_pipeline as imb_pipeline
from pydantic import BaseModel, Field, ValidationError
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import f1_score, mean_absolute_error
from sklearn.model_selection import TimeSeriesSplit, cross_val_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from statsmodels.tsa.holtwinters import ExponentialSmoothing
from statsmodels.tsa.seasonal import STL

SHOPS = {"north": 1.2, "south": 0.8, "harbour": 1.5}
ITEMS = {"bread": (40, 3.2), "cake": (12, 18.0), "roll": (90, 0.6), "pretzel": (35, 1.1)}


class Lab(BaseModel):
    days: int = Field(140, ge=60, le=1000)
    model: str = Field("lightgbm", pattern="^(lightgbm|hist|ridge)$")
    target: str = "sold"
    params: dict = {"num_leaves": 15, "learning_rate": 0.1, "min_data_in_leaf": 10}


def panel(lab):
    """Sales by day, shop and item: a week's wave, a price that moves, some promotions."""
    rng = np.random.default_rng(11)
    rows = []
    for n in range(lab.days):
        day = date(2024, 1, 1) + timedelta(days=n)
        for shop, size in SHOPS.items():
            for item, (base, price) in ITEMS.items():
                promo = (n * 7 + len(item) + len(shop)) % 13 == 0
                at = price * (0.8 if promo else 1.0) * (1 + 0.05 * np.sin(n / 9))
                mean = base * size * (1 + 0.3 * np.sin(2 * np.pi * n / 7)) * (at / price) ** -1.5 * (1 + n / 900)
                rows.append((day, shop, item, round(float(at), 2), promo, int(rng.poisson(mean))))
    frame = pl.DataFrame(rows, schema=["day", "shop", "item", "price", "promo", "sold"], orient="row")
    return (
        frame.lazy()
        .sort("shop", "item", "day")
        .with_columns(
            pl.col("day").dt.weekday().alias("weekday"),
            pl.col("sold").shift(7).over("shop", "item").alias("lag7"),
            pl.col("sold").shift(1).rolling_mean(7).over("shop", "item").alias("mean7"),
        )
        .drop_nulls()
        .sort("day", "shop", "item")
        .collect()
    )


FEATURES = ["shop", "item", "price", "promo", "weekday", "lag7", "mean7"]


def build(lab):
    encode = ColumnTransformer(
        [("target", TargetEncoder(), ["item"]), ("binary", BinaryEncoder(), ["shop"]), ("scale", StandardScaler(), ["price", "lag7", "mean7"])],
        remainder="passthrough",
    )
    models = {
        "lightgbm": lambda: lgb.LGBMRegressor(n_estimators=60, verbose=-1, n_jobs=1, deterministic=True, force_row_wise=True, random_state=3, **lab.params),
        "hist": lambda: HistGradientBoostingRegressor(max_iter=60, random_state=3),
        "ridge": lambda: Ridge(alpha=1.0),
    }
    return Pipeline([("encode", encode), ("model", models[lab.model]())])


def train(lab, frame, folder):
    pdf = frame.select(FEATURES).to_pandas()
    sold = frame[lab.target].to_numpy()
    cut = int(len(sold) * 0.8)
    scores = {}
    for name in ("lightgbm", "hist", "ridge"):
        pipe = build(lab.model_copy(update={"model": name})).fit(pdf[:cut], sold[:cut])
        scores[name] = mean_absolute_error(sold[cut:], pipe.predict(pdf[cut:]))
        joblib.dump(pipe, folder / f"{name}.joblib", compress=("zlib", 3))
    naive = mean_absolute_error(sold[cut:], frame["lag7"].to_numpy()[cut:])
    print("better than last week", {k: v < naive for k, v in scores.items()})
    cv = cross_val_score(build(lab), pdf, sold, cv=TimeSeriesSplit(3), scoring="neg_mean_absolute_error", n_jobs=1)
    print("folds", len(cv), bool((cv < 0).all()))

    again = joblib.load(folder / "lightgbm.joblib")
    booster = again.named_steps["model"].booster_
    booster.save_model(folder / "booster.txt")
    loaded = lgb.Booster(model_file=str(folder / "booster.txt"))
    encoded = again.named_steps["encode"].transform(pdf[cut:]).astype(float)
    print("same forecast", bool(np.allclose(loaded.predict(encoded), again.predict(pdf[cut:]))), "trees", loaded.num_trees())
    gain = dict(zip(again.named_steps["encode"].get_feature_names_out(), booster.feature_importance("gain")))
    print("strongest", sorted(gain, key=gain.get, reverse=True)[:2])
    return scores


def native(frame):
    """LightGBM's own interface: categories, a validation set, early stopping, a log by callback."""
    pdf = frame.select(FEATURES).to_pandas().astype({"shop": "category", "item": "category"})
    cut = int(len(pdf) * 0.8)
    sold, log = frame["sold"].to_numpy(), {}
    data = lgb.Dataset(pdf[:cut], sold[:cut])
    held = lgb.Dataset(pdf[cut:], sold[cut:], reference=data)
    params = {"objective": "poisson", "metric": ["mae", "rmse"], "verbose": -1, "seed": 1, "num_threads": 1, "deterministic": True, "force_row_wise": True}
    booster = lgb.train(params, data, 200, valid_sets=[held], callbacks=[lgb.early_stopping(15, verbose=False), lgb.record_evaluation(log)])
    tree = booster.dump_model()["tree_info"][0]
    print("native", sorted(log["valid_0"]), booster.best_iteration > 5, booster.pandas_categorical, tree["num_leaves"] > 2)


def season(frame):
    series = frame.filter(pl.col("item") == "bread").group_by("day").agg(pl.col("sold").sum()).sort("day")
    y = series.to_pandas().set_index("day")["sold"].asfreq("D").astype(float)
    parts = STL(y, period=7).fit()
    smooth = ExponentialSmoothing(y[:-14], trend="add", seasonal="mul", seasonal_periods=7, initialization_method="estimated").fit()
    ahead = smooth.forecast(14)
    arima = sm.tsa.SARIMAX(y[:-14], order=(1, 0, 0), seasonal_order=(1, 1, 0, 7)).fit(disp=False)
    p = sm.stats.diagnostic.acorr_ljungbox(parts.resid, lags=[7])["lb_pvalue"].iloc[0]
    off = float((abs(ahead - y[-14:]) / y[-14:]).mean())
    print("season", bool(parts.seasonal.std() > parts.resid.std()), "off under 15 %", off < 0.15, "sarima", list(arima.param_names), 0 <= p <= 1)


def elasticity(frame):
    pdf = frame.filter(pl.col("sold") > 0).to_pandas()
    ols = smf.ols("np.log(sold) ~ np.log(price):C(item) + C(item) + C(shop) + C(weekday)", pdf).fit(cov_type="HC1")
    poisson = smf.glm("sold ~ np.log(price) + C(item) + C(shop, Treatment('south')) + promo", pdf, family=sm.families.Poisson()).fit()
    mixed = smf.mixedlm("np.log(sold) ~ np.log(price)", pdf, groups=pdf["item"]).fit()
    slopes = {k.split("[")[1][:-1]: round(v, 0) for k, v in ols.params.items() if k.startswith("np.log(price)")}
    print("elasticity", slopes, len(poisson.params), poisson.converged, mixed.converged)
    table = ols.summary()
    return ols.rsquared, ("R-squared" in table.as_text(), table.as_html().count("<table"), "tabular" in table.as_latex())


def rare(frame):
    """Days on which an item sold out: few, so SMOTE makes more of them."""
    data = frame.with_columns((pl.col("sold") > pl.col("mean7") * 1.45).cast(pl.Int8).alias("out"))
    x, y = data.select("price", "weekday", "lag7", "mean7").to_numpy(), data["out"].to_numpy()
    plain = LogisticRegression(max_iter=500).fit(x, y)
    more = imb_pipeline(StandardScaler(), SMOTE(random_state=4, k_neighbors=3), LogisticRegression(max_iter=500)).fit(x, y)
    print("sold out", 0 < y.mean() < 0.3, f1_score(y, more.predict(x)) >= f1_score(y, plain.predict(x)))


def picture(frame):
    import matplotlib

    matplotlib.use("agg")
    import seaborn as sns

    sns.set_theme(style="whitegrid", palette="crest")
    grid = sns.relplot(frame.group_by("shop", "item", "weekday").agg(pl.col("sold").mean()).sort("shop", "item", "weekday").to_pandas(), x="weekday", y="sold", hue="shop", col="item", col_wrap=2, kind="line", height=2)
    sizes = {}
    for kind in ("png", "svg", "pdf"):
        out = io.BytesIO()
        grid.savefig(out, format=kind)
        sizes[kind] = out.getvalue()[:5]
    print("picture", sizes, [t.get_text() for t in grid.legend.get_texts()])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("what", nargs="*", choices=["train", "native", "season", "elasticity", "rare", "picture", []], default=[])
    parser.add_argument("--settings", default='{"days": 140}')
    options = parser.parse_args()
    try:
        Lab.model_validate_json('{"days": 3, "model": "oracle"}')
    except ValidationError as error:
        print("refused", [(e["loc"][0], e["type"]) for e in error.errors()])
    lab = Lab(**json.loads(options.settings))
    frame = panel(lab)
    print("panel", frame.shape, dict(frame.group_by("item").agg(pl.len()).sort("item").iter_rows()))
    jobs = {"native": native, "season": season, "rare": rare, "picture": picture}
    for name in options.what or jobs:
        if name in jobs:
            jobs[name](frame)
    with tempfile.TemporaryDirectory() as folder:
        scores = train(lab, frame, Path(folder))
        files = sorted(p.name for p in Path(folder).iterdir())
    fit, table = elasticity(frame)
    assert fit > 0.9 and scores["lightgbm"] < 12, (fit, scores)
    print("OK", files, table, lab.model)


if __name__ == "__main__":
    sys.exit(main())
