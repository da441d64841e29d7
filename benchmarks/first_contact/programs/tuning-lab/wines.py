"""The table of wines and the pipelines that are tried on it."""
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_wine
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, QuantileTransformer, StandardScaler
from sklearn.svm import SVC


def wines():
    data = load_wine(as_frame=True)
    frame = data.frame.drop(columns="target")
    frame["shade"] = pd.cut(frame["hue"], [0, 0.8, 1.1, 3], labels=["brown", "red", "purple"]).astype(str)
    return train_test_split(frame, data.target, test_size=0.3, random_state=0, stratify=data.target)


def pipeline(params, seed):
    scaler = StandardScaler() if params["scaler"] == "standard" else QuantileTransformer(n_quantiles=40, random_state=seed)
    numbers = [c for c in load_wine().feature_names]
    columns = ColumnTransformer([("n", scaler, numbers), ("c", OneHotEncoder(handle_unknown="ignore", sparse_output=False), ["shade"])])
    model = {
        "logistic": lambda: LogisticRegression(C=params.get("C", 1.0), max_iter=500),
        "forest": lambda: RandomForestClassifier(params.get("trees", 10), max_depth=params.get("depth"), random_state=seed),
        "support": lambda: SVC(gamma=params.get("gamma", "scale"), random_state=seed),
    }[params["model"]]()
    return make_pipeline(columns, model)
