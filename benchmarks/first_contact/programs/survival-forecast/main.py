"""Maintenance planner: forecasts monthly demand with sktime and augurs, volatility with arch, machine lifetimes with lifelines."""
import io
import warnings

warnings.filterwarnings("ignore")
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import polars as pl
from arch import arch_model
from arch.unitroot import ADF, KPSS
from augurs import MSTL, Dtw, seasonalities
from lifelines import CoxPHFitter, KaplanMeierFitter, WeibullAFTFitter
from lifelines.datasets import load_rossi
from lifelines.exceptions import StatError
from lifelines.statistics import logrank_test
from lifelines.utils import concordance_index, median_survival_times
from sktime.datasets import load_airline
from sktime.forecasting.base import ForecastingHorizon
from sktime.forecasting.compose import EnsembleForecaster, TransformedTargetForecaster
from sktime.forecasting.exp_smoothing import ExponentialSmoothing
from sktime.forecasting.model_evaluation import evaluate
from sktime.forecasting.naive import NaiveForecaster
from sktime.forecasting.theta import ThetaForecaster
from sktime.performance_metrics.forecasting import MeanAbsolutePercentageError
from sktime.registry import all_estimators, craft
from sktime.split import ExpandingWindowSplitter, temporal_train_test_split
from sktime.transformations.series.detrend import Deseasonalizer, Detrender
from sktime.datatypes import check_is_mtype, convert_to
from sktime.exceptions import NotFittedError
from tabulate import tabulate

warnings.filterwarnings("ignore")

MAPE = MeanAbsolutePercentageError(symmetric=False)
SPECS = {
    "naive": "NaiveForecaster(strategy='last', sp=12)",
    "theta": "ThetaForecaster(sp=12)",
    "ets": "ExponentialSmoothing(trend='add', seasonal='multiplicative', sp=12)",
}


def demand():
    series = load_airline()
    train, test = temporal_train_test_split(series, test_size=24)
    horizon = ForecastingHorizon(test.index, is_relative=False)
    print("mtype", check_is_mtype(series, "pd.Series"), convert_to(series, "np.ndarray").shape, series.index.freqstr)
    models = {name: craft(spec) for name, spec in SPECS.items()}
    models["pipeline"] = TransformedTargetForecaster([("season", Deseasonalizer(model="multiplicative", sp=12)), ("trend", Detrender()), ("forecast", NaiveForecaster())])
    models["blend"] = EnsembleForecaster([("theta", ThetaForecaster(sp=12)), ("ets", ExponentialSmoothing(trend="add", seasonal="multiplicative", sp=12))])
    rows = []
    for name, model in models.items():
        forecast = model.fit(train, fh=horizon).predict()
        rows.append((name, type(model).__name__, round(float(MAPE(test, forecast)), 3)))
    print(tabulate(sorted(rows, key=lambda r: r[2]), headers=["model", "class", "mape"], tablefmt="github"))
    band = models["theta"].predict_interval(coverage=0.9)
    print("interval", band.shape, bool((band.iloc[:, 0] < band.iloc[:, 1]).all()))
    folds = evaluate(NaiveForecaster(sp=12), cv=ExpandingWindowSplitter(initial_window=96, step_length=12, fh=[1, 2, 3]), y=series, scoring=MAPE)
    print("folds", len(folds), round(float(folds["test_MeanAbsolutePercentageError"].mean()), 3))
    try:
        ThetaForecaster().predict(fh=[1])
    except NotFittedError as error:
        print("not fitted", type(error).__name__)
    return series, train, test


def catalogue():
    found = dict(all_estimators("forecaster", filter_tags={"capability:pred_int": True}, as_dataframe=False))
    print("registry", len(found) > 10, "ThetaForecaster" in found, "NaiveForecaster" in found)
    splitters = [name for name, _ in all_estimators("splitter")]
    print("splitters", "ExpandingWindowSplitter" in splitters, len(splitters) > 5)


def rust_models(train, test):
    values = np.log(train.to_numpy(dtype=float))
    print("augurs season", seasonalities(values).tolist())
    years = list(values[:36].reshape(3, 12).copy())
    print("augurs dtw", round(Dtw(window=3).distance(years[0], years[1]), 3), Dtw(window=3, distance_fn="manhattan").distance_matrix(years).to_numpy().shape)
    mstl = MSTL.ets([12])
    mstl.fit(values)
    forecast = np.exp(mstl.predict(len(test), level=0.9).point())
    print("augurs mstl", round(float(MAPE(test.to_numpy(), forecast)), 2))


def volatility(series):
    returns = 100 * np.log(series).diff().dropna()
    print("adf", round(float(ADF(series).pvalue), 2), "kpss", KPSS(returns).pvalue > 0.01)
    fits = {}
    for vol, kind in (("GARCH", "normal"), ("EGARCH", "normal"), ("ARCH", "t")):
        fits[vol] = arch_model(returns, mean="Constant", vol=vol, dist=kind, rescale=False).fit(disp="off")
    print("arch", {k: sorted(f.params.index) for k, f in fits.items()})
    ahead = fits["ARCH"].forecast(horizon=2, reindex=False)
    print("variance", ahead.variance.shape, bool((ahead.variance > 0).all().all()))


def lifetimes():
    rossi = load_rossi()
    km = KaplanMeierFitter(label="all").fit(rossi["week"], rossi["arrest"])
    print("survival", round(float(km.predict(26)), 3), median_survival_times(km.survival_function_))
    aid, none = rossi[rossi.fin == 1], rossi[rossi.fin == 0]
    print("logrank", round(float(logrank_test(aid.week, none.week, aid.arrest, none.arrest).p_value), 3))
    cox = CoxPHFitter(penalizer=0.01).fit(rossi, "week", "arrest", formula="fin + age + C(mar) + prio")
    print("cox", cox.params_.round(2).to_dict(), round(float(cox.concordance_index_), 2))
    aft = WeibullAFTFitter().fit(rossi, "week", "arrest")
    print("aft", round(float(aft.concordance_index_), 2), round(float(concordance_index(rossi.week, -cox.predict_partial_hazard(rossi), rossi.arrest)), 2))
    try:
        CoxPHFitter().fit(rossi.assign(note="x"), "week", "arrest")
    except (StatError, TypeError, ValueError) as error:
        print("bad column", type(error).__name__)
    return km


def export(series, km):
    frame = pl.from_pandas(series.rename("passengers").to_timestamp().rename_axis("month").reset_index())
    yearly = frame.group_by_dynamic("month", every="1y").agg(pl.col("passengers").sum()).with_columns(pl.col("month").dt.year())
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    back = pd.read_parquet(io.BytesIO(buffer.getvalue()))
    print("yearly", yearly.rows()[:2], "parquet", back.shape)
    figure, axes = plt.subplots(1, 2, figsize=(6, 3))
    series.plot(ax=axes[0])
    km.plot_survival_function(ax=axes[1])
    for kind, magic in (("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")):
        out = io.BytesIO()
        figure.savefig(out, format=kind)
        print(" ", kind, out.getvalue().startswith(magic))


def main():
    series, train, test = demand()
    catalogue()
    rust_models(train, test)
    volatility(series)
    km = lifetimes()
    export(series, km)
    print("OK survival-forecast")


if __name__ == "__main__":
    main()
