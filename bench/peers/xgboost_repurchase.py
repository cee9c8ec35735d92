"""XGBoost on Herkoop's exported rows: the next purchase's week as one of H + 1 classes.

python xgboost_repurchase.py ROWS_FOLDER OUT.parquet SEED

Reads train.parquet and test.parquet, keeps training rows whose horizon is complete (a classifier
can't learn from censored ones), and writes customer_id, product, p_week_1 .. p_week_H, p_later and
label_week (0 for later or never). Prints seconds and rows as JSON.
"""
import json
import sys
import time

import pandas as pd
import xgboost as xgb

KEYS = {"cutoff_ms", "customer_id", "product", "event_interval", "observed_intervals"}


def main(folder: str, out: str, seed: int) -> None:
    train = pd.read_parquet(f"{folder}/train.parquet")
    test = pd.read_parquet(f"{folder}/test.parquet")
    horizon = int(test["observed_intervals"].max())
    train = train[train["observed_intervals"] == horizon]
    features = [name for name in train.columns if name not in KEYS]
    target = train["event_interval"].fillna(horizon).astype(int)
    started = time.perf_counter()
    model = xgb.train(
        {
            "objective": "multi:softprob",
            "num_class": horizon + 1,
            "max_depth": 6,
            "eta": 0.1,
            "subsample": 0.8,
            "colsample_bytree": 0.8,
            "tree_method": "hist",
            "max_bin": 128,
            "nthread": 2,
            "seed": seed,
        },
        xgb.DMatrix(train[features], label=target),
        num_boost_round=200,
    )
    seconds = time.perf_counter() - started
    started = time.perf_counter()
    probabilities = model.predict(xgb.DMatrix(test[features]))
    predict_seconds = time.perf_counter() - started
    answer = test[["customer_id", "product"]].copy()
    for week in range(horizon):
        answer[f"p_week_{week + 1}"] = probabilities[:, week].astype(float)
    answer["p_later"] = probabilities[:, horizon].astype(float)
    label = test["event_interval"].fillna(-1).astype(int) + 1
    answer["label_week"] = label
    answer.to_parquet(out)
    print(json.dumps({"train_rows": len(train), "test_rows": len(test), "train_seconds": seconds, "predict_seconds": predict_seconds}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
