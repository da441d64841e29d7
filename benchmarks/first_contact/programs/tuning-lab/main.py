"""A model bench: Optuna tunes scikit-learn pipelines in an SQLite study, MLflow keeps runs, models and versions, skops stores the winner without pickle."""
import json
import logging
import os
import tempfile
import warnings
from pathlib import Path

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ["GIT_PYTHON_REFRESH"] = "quiet"
warnings.filterwarnings("ignore")

import mlflow
import numpy as np
import optuna
import pandas as pd
import skops.io
from mlflow.models import infer_signature
from mlflow.tracking import MlflowClient
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from pydantic import BaseModel, Field
from skops.card import Card
from sklearn.inspection import permutation_importance
from sklearn.metrics import classification_report, f1_score
from sklearn.model_selection import StratifiedKFold, cross_val_score

from wines import pipeline, wines


class Plan(BaseModel):
    """How the search is done; read from plan.json."""

    trials: int = Field(ge=3, le=50)
    folds: int = 3
    seed: int = 7
    models: list[str]


def objective(trial, plan, x, y):
    params = {"model": trial.suggest_categorical("model", plan.models), "scaler": trial.suggest_categorical("scaler", ["standard", "quantile"])}
    if params["model"] == "logistic":
        params["C"] = trial.suggest_float("C", 1e-3, 10, log=True)
    elif params["model"] == "forest":
        params["trees"], params["depth"] = trial.suggest_int("trees", 5, 30), trial.suggest_int("depth", 1, 6)
    else:
        params["gamma"] = trial.suggest_float("gamma", 1e-4, 1, log=True)
    with mlflow.start_run(run_name=f"trial-{trial.number}", nested=True):
        mlflow.log_params(params)
        total = 0
        for step, (fit, test) in enumerate(StratifiedKFold(plan.folds, shuffle=True, random_state=plan.seed).split(x, y)):
            model = pipeline(params, plan.seed).fit(x.iloc[fit], y.iloc[fit])
            total += f1_score(y.iloc[test], model.predict(x.iloc[test]), average="macro")
            mlflow.log_metric("f1", total / (step + 1), step=step)
            trial.report(total / (step + 1), step)
            if trial.should_prune():
                raise optuna.TrialPruned
    return total / plan.folds


def main():
    plan = Plan.model_validate_json((Path(__file__).resolve().parent / "plan.json").read_text())
    logging.getLogger("mlflow").setLevel(logging.ERROR)
    logging.getLogger("alembic").setLevel(logging.ERROR)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    x, x_test, y, y_test = wines()
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        mlflow.set_tracking_uri(f"sqlite:///{folder}/runs.db")
        experiment = mlflow.create_experiment("wine", artifact_location=(folder / "artifacts").as_uri())
        mlflow.set_experiment("wine")
        study = optuna.create_study(study_name="wine", storage=f"sqlite:///{folder}/study.db", direction="maximize", sampler=optuna.samplers.TPESampler(seed=plan.seed), pruner=optuna.pruners.MedianPruner(n_startup_trials=4))
        with mlflow.start_run(run_name="search") as run:
            study.optimize(lambda t: objective(t, plan, x, y), n_trials=plan.trials)
            best = pipeline(study.best_params, plan.seed).fit(x, y)
            report = classification_report(y_test, best.predict(x_test), output_dict=True)
            mlflow.log_metrics({"accuracy": report["accuracy"]})
            mlflow.log_dict(report, "report.json")
            mlflow.log_text(str(infer_signature(x, best.predict(x))), "signature.txt")
            skops.io.dump(best, folder / "best.skops")
            mlflow.log_artifact(str(folder / "best.skops"))
        client = MlflowClient()
        runs = mlflow.search_runs(output_format="list", filter_string=f"tags.mlflow.parentRunId = '{run.info.run_id}'")
        kept = sorted(a.path for a in client.list_artifacts(run.info.run_id))
        client.create_registered_model("wine")
        version = client.create_model_version("wine", f"{run.info.artifact_uri}/best.skops", run.info.run_id)
        client.set_registered_model_alias("wine", "champion", version.version)
        champion = client.get_model_version_by_alias("wine", "champion").version
        path = mlflow.artifacts.download_artifacts(f"{run.info.artifact_uri}/best.skops", dst_path=str(folder))
        strange = skops.io.get_untrusted_types(file=path)
        again = skops.io.load(path, trusted=strange)
        card = Card(again).add_metrics(accuracy=report["accuracy"]).render()
        loaded = optuna.load_study(study_name="wine", storage=f"sqlite:///{folder}/study.db")
        states = pd.Series([t.state.name for t in loaded.trials]).value_counts().to_dict()
        weights = get_param_importances(loaded, params=["model", "scaler"], evaluator=PedAnovaImportanceEvaluator())
        permuted = permutation_importance(again, x_test, y_test, n_repeats=3, random_state=0)
        score = cross_val_score(again, x, y, cv=plan.folds).mean()
    top = x.columns[int(np.argmax(permuted.importances_mean))]
    print("OK", experiment, study.best_params["model"], round(study.best_value, 3), round(report["accuracy"], 3), round(score, 3), states, len(runs), kept, champion, len(strange), (again.predict(x_test) == best.predict(x_test)).all(), list(weights), top, "accuracy" in card, len(json.dumps(report)) > 100)


if __name__ == "__main__":
    main()
