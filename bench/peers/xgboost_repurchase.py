"""XGBoost on Herkoop's exported rows: the next purchase's week as one of H + 1 classes.

python xgboost_repurchase.py ROWS_FOLDER OUT_FOLDER SEED [SEED ...]

First tunes: from the training rows whose horizon ends before the calibration weeks (calibration.parquet, the weeks
that Herkoop calibrates on) it learns with each of a list of settings and chooses by the log loss of the calibration
rows, with early stopping. Settings are told apart on a seeded sample of both; the number of rounds of the best one is
then found anew with all rows to learn from. Then fits train.parquet with each seed, keeping rows whose horizon is
complete (a classifier can't learn from censored ones), and writes OUT_FOLDER/SEED.parquet: customer_id, product, p_week_1
.. p_week_H, p_later and label_week (0 for later or never) of test.parquet. Prints JSON.
"""
import json
import sys
import time

import pandas as pd
import xgboost as xgb

KEYS = {"cutoff_ms", "customer_id", "product", "event_interval", "observed_intervals"}
WEEK_MS = 7 * 86_400_000
TUNING_ROWS = 60_000
JUDGED_ROWS = 40_000
MAXIMUM_ROUNDS = 400
PATIENCE = 10
TRIED = [
    {"max_depth": 6, "eta": 0.1, "min_child_weight": 1, "colsample_bytree": 0.5},
    {"max_depth": 4, "eta": 0.1, "min_child_weight": 20, "colsample_bytree": 0.5},
    {"max_depth": 5, "eta": 0.1, "min_child_weight": 50, "colsample_bytree": 0.3},
    {"max_depth": 6, "eta": 0.1, "min_child_weight": 100, "colsample_bytree": 0.3},
    {"max_depth": 7, "eta": 0.07, "min_child_weight": 200, "colsample_bytree": 0.3},
]


def parameters(horizon: int, seed: int) -> dict[str, object]:
    return {
        "objective": "multi:softprob",
        "num_class": horizon + 1,
        "eval_metric": "mlogloss",
        "subsample": 0.8,
        "tree_method": "hist",
        "max_bin": 64,
        "nthread": 2,
        "seed": seed,
    }


def complete(rows: pd.DataFrame, horizon: int) -> pd.DataFrame:
    return rows[rows["observed_intervals"] == horizon]


def matrix(rows: pd.DataFrame, horizon: int) -> xgb.DMatrix:
    features = [name for name in rows.columns if name not in KEYS]
    return xgb.QuantileDMatrix(rows[features], label=rows["event_interval"].fillna(horizon).astype(int), max_bin=64)


def sampled(rows: pd.DataFrame, count: int) -> pd.DataFrame:
    return rows.sample(min(count, len(rows)), random_state=1)


def early_stopped(settings: dict[str, float], early: xgb.DMatrix, later: xgb.DMatrix, horizon: int) -> dict[str, float]:
    started = time.perf_counter()
    model = xgb.train(
        {**parameters(horizon, 1), **settings},
        early,
        num_boost_round=MAXIMUM_ROUNDS,
        evals=[(later, "later")],
        early_stopping_rounds=PATIENCE,
        verbose_eval=False,
    )
    found = {
        **settings,
        "rounds": model.best_iteration + 1,
        "loss": float(model.best_score),
        "rows": early.num_row(),
        "seconds": time.perf_counter() - started,
    }
    print(json.dumps(found), file=sys.stderr, flush=True)
    return found


def tune(train: pd.DataFrame, folder: str, horizon: int) -> list[dict[str, float]]:
    validation = pd.read_parquet(f"{folder}/calibration.parquet")
    known = train["cutoff_ms"] + horizon * WEEK_MS <= validation["cutoff_ms"].min()
    learned = complete(train[known], horizon)
    later = xgb.DMatrix(
        sampled(validation, JUDGED_ROWS)[[name for name in validation.columns if name not in KEYS]],
        label=sampled(validation, JUDGED_ROWS)["event_interval"].fillna(horizon).astype(int),
    )
    small = matrix(sampled(learned, TUNING_ROWS), horizon)
    tried = [early_stopped(settings, small, later, horizon) for settings in TRIED]
    best = min(range(len(TRIED)), key=lambda index: tried[index]["loss"])
    return [*tried, early_stopped(TRIED[best], matrix(learned, horizon), later, horizon)]


def main(folder: str, out: str, *seeds: str) -> None:
    rows = pd.read_parquet(f"{folder}/train.parquet")
    test = pd.read_parquet(f"{folder}/test.parquet")
    horizon = int(test["observed_intervals"].max())
    tuned = tune(rows, folder, horizon)
    chosen = {name: tuned[-1][name] for name in TRIED[0]}
    train = matrix(complete(rows, horizon), horizon)
    unseen = xgb.DMatrix(test[[name for name in test.columns if name not in KEYS]])
    seconds = []
    for seed in seeds:
        started = time.perf_counter()
        model = xgb.train({**parameters(horizon, int(seed)), **chosen}, train, num_boost_round=int(tuned[-1]["rounds"]))
        seconds.append(time.perf_counter() - started)
        print(f"seed {seed}: {seconds[-1]:.0f} s", file=sys.stderr, flush=True)
        probabilities = model.predict(unseen)
        answer = test[["customer_id", "product"]].copy()
        for week in range(horizon):
            answer[f"p_week_{week + 1}"] = probabilities[:, week].astype(float)
        answer["p_later"] = probabilities[:, horizon].astype(float)
        answer["label_week"] = test["event_interval"].fillna(-1).astype(int) + 1
        answer.to_parquet(f"{out}/{seed}.parquet")
    print(json.dumps({"tuned": tuned, "train_rows": train.num_row(), "train_seconds": seconds}))


if __name__ == "__main__":
    main(*sys.argv[1:])
