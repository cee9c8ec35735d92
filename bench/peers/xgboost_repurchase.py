"""XGBoost on Herkoop's exported rows: the next purchase's week as one of H + 1 classes.

python xgboost_repurchase.py tune ROWS_FOLDER SETTINGS.json
python xgboost_repurchase.py fit ROWS_FOLDER OUT.parquet SEED SETTINGS.json

`tune` learns from the training rows whose horizon ends before the calibration weeks (a seeded 200,000 of them)
and chooses depth, learning rate, least weight of a leaf, share of columns of a tree and number of rounds by the
log loss of the calibration rows (calibration.parquet, the weeks that Herkoop calibrates on), by early stopping. `fit` learns from
train.parquet with these, keeping rows whose horizon is complete (a classifier can't learn from censored
ones), and writes customer_id, product, p_week_1 .. p_week_H, p_later and label_week (0 for later or never) of
test.parquet. Both print JSON.
"""
import json
import sys
import time

import pandas as pd
import xgboost as xgb

KEYS = {"cutoff_ms", "customer_id", "product", "event_interval", "observed_intervals"}
WEEK_MS = 7 * 86_400_000
MAXIMUM_ROUNDS = 400
TUNING_ROWS = 200_000
TRIED = [
    {"max_depth": 6, "eta": 0.1, "min_child_weight": 1, "colsample_bytree": 0.5},
    {"max_depth": 4, "eta": 0.1, "min_child_weight": 20, "colsample_bytree": 0.5},
    {"max_depth": 6, "eta": 0.1, "min_child_weight": 100, "colsample_bytree": 0.5},
    {"max_depth": 6, "eta": 0.05, "min_child_weight": 100, "colsample_bytree": 0.3},
    {"max_depth": 5, "eta": 0.07, "min_child_weight": 50, "colsample_bytree": 0.8},
    {"max_depth": 8, "eta": 0.05, "min_child_weight": 300, "colsample_bytree": 0.3},
]


def parameters(horizon: int, seed: int) -> dict[str, object]:
    return {
        "objective": "multi:softprob",
        "num_class": horizon + 1,
        "eval_metric": "mlogloss",
        "subsample": 0.8,
        "tree_method": "hist",
        "max_bin": 128,
        "nthread": 2,
        "seed": seed,
    }


def complete(rows: pd.DataFrame, horizon: int) -> pd.DataFrame:
    return rows[rows["observed_intervals"] == horizon]


def matrix(rows: pd.DataFrame, horizon: int) -> xgb.DMatrix:
    features = [name for name in rows.columns if name not in KEYS]
    return xgb.DMatrix(rows[features], label=rows["event_interval"].fillna(horizon).astype(int))


def tune(folder: str, out: str) -> None:
    train = pd.read_parquet(f"{folder}/train.parquet")
    validation = pd.read_parquet(f"{folder}/calibration.parquet")
    horizon = int(train["observed_intervals"].max())
    known = train["cutoff_ms"] + horizon * WEEK_MS <= validation["cutoff_ms"].min()
    learned = complete(train[known], horizon)
    early = matrix(learned.sample(min(TUNING_ROWS, len(learned)), random_state=1), horizon)
    later = matrix(complete(validation, horizon), horizon)
    tried = []
    for settings in TRIED:
        started = time.perf_counter()
        model = xgb.train(
            {**parameters(horizon, 1), **settings},
            early,
            num_boost_round=MAXIMUM_ROUNDS,
            evals=[(later, "later")],
            early_stopping_rounds=15,
            verbose_eval=False,
        )
        tried.append(
            {**settings, "rounds": model.best_iteration + 1, "loss": float(model.best_score), "seconds": time.perf_counter() - started}
        )
        print(json.dumps(tried[-1]), file=sys.stderr, flush=True)
    best = min(tried, key=lambda one: one["loss"])
    answer = {"best": best, "tried": tried, "rows": early.num_row(), "validation_rows": later.num_row()}
    with open(out, "w", encoding="utf8") as file:
        json.dump(answer, file)
    print(json.dumps(answer))


def fit(folder: str, out: str, seed: int, settings: str) -> None:
    with open(settings, encoding="utf8") as file:
        best = json.load(file)["best"]
    test = pd.read_parquet(f"{folder}/test.parquet")
    horizon = int(test["observed_intervals"].max())
    train = matrix(complete(pd.read_parquet(f"{folder}/train.parquet"), horizon), horizon)
    chosen = {name: best[name] for name in TRIED[0]}
    started = time.perf_counter()
    model = xgb.train({**parameters(horizon, seed), **chosen}, train, num_boost_round=best["rounds"])
    seconds = time.perf_counter() - started
    started = time.perf_counter()
    probabilities = model.predict(matrix(test, horizon))
    predict_seconds = time.perf_counter() - started
    answer = test[["customer_id", "product"]].copy()
    for week in range(horizon):
        answer[f"p_week_{week + 1}"] = probabilities[:, week].astype(float)
    answer["p_later"] = probabilities[:, horizon].astype(float)
    answer["label_week"] = test["event_interval"].fillna(-1).astype(int) + 1
    answer.to_parquet(out)
    print(
        json.dumps(
            {"train_rows": train.num_row(), "test_rows": len(test), "train_seconds": seconds, "predict_seconds": predict_seconds}
        )
    )


if __name__ == "__main__":
    if sys.argv[1] == "tune":
        tune(sys.argv[2], sys.argv[3])
    else:
        fit(sys.argv[2], sys.argv[3], int(sys.argv[4]), sys.argv[5])
