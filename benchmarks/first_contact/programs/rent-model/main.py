"""Predicts rents from messy listings: cleaning, encoders, gradient boosting and prediction intervals."""
import json
import logging
import tempfile
import warnings
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import skrub
from feature_engine.creation import CyclicalFeatures, RelativeFeatures
from feature_engine.encoding import RareLabelEncoder
from feature_engine.imputation import AddMissingIndicator, MeanMedianImputer
from feature_engine.pipeline import Pipeline
from feature_engine.selection import DropConstantFeatures, SmartCorrelatedSelection
from mapie.metrics.regression import regression_coverage_score, regression_mean_width_score
from mapie.regression import CrossConformalRegressor, SplitConformalRegressor
from perpetual import PerpetualBooster
from perpetual.sklearn import PerpetualClassifier, PerpetualRegressor
from sklearn.linear_model import Ridge
from sklearn.metrics import mean_absolute_error, roc_auc_score
from sklearn.model_selection import KFold, train_test_split
from sklearn.pipeline import make_pipeline
from skrub import selectors as s

logging.getLogger("perpetual").setLevel(logging.ERROR)
warnings.filterwarnings("ignore", category=FutureWarning)
CITIES = {"Berlin": 14.0, "Hamburg": 13.2, "Leipzig": 8.9, "Munich": 19.5, "Cologne": 12.4}
TYPOS = {"Berlin": ["Berlin", "berlin", "Berln"], "Munich": ["Munich", "Muenich", "Munich "]}


def listings(n: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    city = rng.choice(list(CITIES), n, p=[0.3, 0.2, 0.2, 0.2, 0.1])
    area = rng.gamma(9, 7.5, n).round(1) + 18
    rooms = np.clip((area / 27 + rng.normal(0, 0.5, n)).round(), 1, 7)
    built = rng.integers(1900, 2024, n).astype(float)
    month = rng.integers(1, 13, n)
    kind = rng.choice(["flat", "loft", "house", "studio", "houseboat"], n, p=[0.6, 0.15, 0.15, 0.09, 0.01])
    base = np.array([CITIES[c] for c in city])
    rent = (area * base * (1 + (built > 2010) * 0.12) + (kind == "loft") * 110
            + 25 * np.sin(month / 12 * 2 * np.pi) + rng.normal(0, 45, n))
    built[rng.random(n) < 0.08] = np.nan
    spelled = [rng.choice(TYPOS.get(c, [c])) for c in city]
    listed = pd.Timestamp("2023-01-01") + pd.to_timedelta(rng.integers(0, 365, n), unit="D")
    frame = pd.DataFrame({"city": spelled, "area": area, "rooms": rooms, "built": built, "month": month, "kind": kind,
                          "listed": listed.strftime("%d/%m/%Y"), "country": "DE", "area_sqft": (area * 10.764).round(1)})
    frame["rent"] = rent.round(2)
    return frame


def clean(frame: pd.DataFrame) -> pd.DataFrame:
    mapping = skrub.deduplicate(frame["city"].str.strip().str.title(), n_clusters=len(CITIES))
    frame = frame.assign(city=frame["city"].str.strip().str.title().map(mapping.groupby(level=0).first()))
    frame["listed"] = skrub.to_datetime(frame["listed"], format="%d/%m/%Y")
    return skrub.Cleaner(drop_if_constant=True).fit_transform(frame)


def feature_steps() -> Pipeline:
    return Pipeline([
        ("missing", AddMissingIndicator(variables=["built"])),
        ("median", MeanMedianImputer(imputation_method="median", variables=["built"])),
        ("rare", RareLabelEncoder(tol=0.03, n_categories=2, variables=["kind"])),
        ("season", CyclicalFeatures(variables=["month"], drop_original=True)),
        ("ratio", RelativeFeatures(variables=["area"], reference=["rooms"], func=["div"])),
        ("constant", DropConstantFeatures(tol=0.995)),
        ("correlated", SmartCorrelatedSelection(variables=["area", "area_sqft"], threshold=0.98,
                                                selection_method="variance")),
    ])


def boost(x_train, y_train, x_cal, y_cal, x_test, y_test, folder: Path):
    model = PerpetualBooster(objective="SquaredLoss", budget=0.6, num_threads=1,
                             monotone_constraints={"area_sqft": 1} if "area_sqft" in x_train else {"area": 1},
                             save_node_stats=True, seed=3)
    model.fit(x_train, y_train)
    error = mean_absolute_error(y_test, model.predict(x_test))
    print(f"booster: MAE {error:.1f}, trees {model.number_of_trees > 5}")
    top = sorted(model.calculate_feature_importance("Gain", normalize=True).items(), key=lambda kv: -kv[1])[:3]
    print("importance:", [name for name, _ in top])
    shap = model.predict_contributions(x_test)
    print("contributions add up:", bool(np.allclose(shap.sum(axis=1), model.predict(x_test), rtol=1e-3)))
    area = next(c for c in x_train if c.startswith("area") and "rooms" not in c)
    curve = model.partial_dependence(x_test, area, samples=8)
    print("monotone in area:", bool((np.diff(np.asarray(curve)[:, 1]) >= -1e-9).all()))
    model.calibrate(x_cal, y_cal, alpha=[0.1, 0.2])
    for level, bounds in sorted(model.predict_intervals(x_test).items()):
        inside = ((bounds[:, 0] <= y_test.to_numpy()) & (y_test.to_numpy() <= bounds[:, 1])).mean()
        print(f"interval alpha {level}: coverage {inside:.2f}")
    path = folder / "booster.json"
    model.save_booster(str(path))
    again = PerpetualBooster.load_booster(str(path))
    print("reloaded equal:", bool(np.allclose(again.predict(x_test), model.predict(x_test))),
          "keys:", len(json.loads(path.read_text())) > 3)
    return error


def main():
    with tempfile.TemporaryDirectory() as tmp:
        work = Path(tmp)
        raw = listings(900, 5)
        print("spellings:", raw["city"].nunique(), "->", clean(raw)["city"].nunique())
        data = clean(raw)
        print("columns:", list(data.columns))
        report = skrub.column_associations(data[["area", "area_sqft", "rooms", "rent"]])
        print("strongest pair:", *report.iloc[0][["left_column_name", "right_column_name"]])

        districts = pd.DataFrame({"place": ["Berlin City", "Hambourg", "Leipzg", "Munich DE", "Cologne"],
                                  "transit": [9, 8, 6, 9, 7]})
        data = skrub.Joiner(districts, main_key="city", aux_key="place", max_dist=0.9, add_match_info=False,
                            suffix="_d").fit_transform(data)
        data = skrub.AggJoiner(data[["city", "area"]], key="city", cols="area", operations=["mean", "std"],
                               suffix="_city").fit_transform(data)
        target = data.pop("rent")
        features = feature_steps().fit_transform(data)
        print("after feature steps:", features.shape[1], "columns")
        vectorizer = skrub.TableVectorizer(datetime=skrub.DatetimeEncoder(add_weekday=True),
                                           high_cardinality=skrub.StringEncoder(n_components=4, random_state=0))
        table = vectorizer.fit_transform(features)
        table.columns = [str(c).replace(" ", "_") for c in table.columns]
        print("vectorized:", table.shape, "numeric", (s.numeric().expand(table) == list(table.columns)))

        x_rest, x_test, y_rest, y_test = train_test_split(table, target, test_size=0.2, random_state=1)
        x_train, x_cal, y_train, y_cal = train_test_split(x_rest, y_rest, test_size=0.25, random_state=1)
        error = boost(x_train, y_train, x_cal, y_cal, x_test, y_test, work)

        linear = make_pipeline(skrub.SquashingScaler(), Ridge())
        cross = CrossConformalRegressor(linear, confidence_level=[0.8, 0.9], cv=KFold(4))
        cross.fit_conformalize(x_rest, y_rest)
        _, intervals = cross.predict_interval(x_test)
        for level, cov, width in zip((0.8, 0.9), regression_coverage_score(y_test, intervals),
                                     regression_mean_width_score(intervals)):
            print(f"ridge conformal {level}: coverage {cov:.2f}, width {width:.0f}")
        sk_model = PerpetualRegressor(budget=0.3, num_threads=1)
        split = SplitConformalRegressor(sk_model.fit(x_train.to_numpy(), y_train.to_numpy()), confidence_level=0.9, prefit=True)
        split.conformalize(x_cal.to_numpy(), y_cal.to_numpy())
        points, bands = split.predict_interval(x_test.to_numpy())
        print("boosted conformal coverage:", round(float(regression_coverage_score(y_test, bands)[0]), 2))

        expensive = (target > target.median()).astype(int)
        classifier = PerpetualClassifier(budget=0.3, num_threads=1)
        classifier.fit(x_rest.to_numpy(), expensive.loc[x_rest.index].to_numpy())
        proba = classifier.predict_proba(x_test.to_numpy())[:, 1]
        auc = roc_auc_score(expensive.loc[x_test.index], proba)
        print(f"classifier AUC {auc:.3f}")
        joblib.dump(vectorizer, work / "vectorizer.joblib")
        restored = joblib.load(work / "vectorizer.joblib")
        print("vectorizer restored:", restored.transform(features.head(3)).shape)
        page = skrub.TableReport(raw.head(60), title="Listings", verbose=0).html()
        print("report:", "Listings" in page, len(page) > 20_000)
        plan = skrub.var("frame", raw).skb.apply_func(clean)[["area", "rooms", "rent"]].skb.apply(skrub.Cleaner())
        print("plan steps:", plan.skb.eval().shape)
    print(f"OK {len(raw)} listings, error below 60: {error < 60}, AUC above 0.9: {auc > 0.9}")


if __name__ == "__main__":
    main()
