"""XGBoost on Herkoop's feature rows: a purchase within a horizon, tuned on the validation period, then judged.

python xgboost_intent.py ROWS.parquet HORIZON_MS TRAIN_FROM TRAIN_UNTIL TEST_FROM TEST_UNTIL VALID_TRAIN_UNTIL VALID_FROM VALID_UNTIL SEEDS

Instants are epoch ms. Reads user_id, cutoff_ms, wait_ms (null: never) and the features. Settings are chosen by log loss on the
validation period, learned on what lies before it; then fitted on the training period. Prints one JSON line per seed: the probability and the
label of each test row, in the order of cutoff and user.
"""
import json
import sys

import numpy as np
import pandas as pd
import xgboost as xgb
from sklearn.metrics import log_loss

KEYS = {"user_id", "event", "cutoff_ms", "wait_ms", "is_known"}
GRID = [
    {"n_estimators": 300, "max_depth": 5, "learning_rate": 0.1},
    {"n_estimators": 300, "max_depth": 5, "learning_rate": 0.03, "subsample": 0.8, "colsample_bytree": 0.5, "min_child_weight": 20},
    {"n_estimators": 150, "max_depth": 4, "learning_rate": 0.04, "subsample": 0.6, "colsample_bytree": 0.3, "min_child_weight": 100},
    {"n_estimators": 300, "max_depth": 4, "learning_rate": 0.03, "subsample": 0.6, "colsample_bytree": 0.3, "min_child_weight": 50, "reg_lambda": 20},
    {"n_estimators": 150, "max_depth": 5, "learning_rate": 0.03, "subsample": 0.6, "colsample_bytree": 0.3, "min_child_weight": 100, "reg_lambda": 20},
    {"n_estimators": 200, "max_depth": 6, "learning_rate": 0.02, "subsample": 0.5, "colsample_bytree": 0.2, "min_child_weight": 50, "reg_lambda": 20},
    {"n_estimators": 500, "max_depth": 2, "learning_rate": 0.05, "subsample": 0.6, "colsample_bytree": 0.3, "min_child_weight": 20},
]


def main() -> None:
    file, horizon = sys.argv[1], int(sys.argv[2])
    train_from, train_until, test_from, test_until, early_until, valid_from, valid_until, seeds = map(int, sys.argv[3:11])
    frame = pd.read_parquet(file).sort_values(["cutoff_ms", "user_id"], kind="stable")
    y = (frame["wait_ms"].fillna(np.inf) < horizon).astype(int).to_numpy()
    at = frame["cutoff_ms"].to_numpy()
    x = frame[[name for name in frame.columns if name not in KEYS]].to_numpy(dtype=np.float32)

    def between(low: int, high: int) -> np.ndarray:
        return (at >= low) & (at < high)

    def fit(rows: np.ndarray, settings: dict, seed: int) -> xgb.XGBClassifier:
        return xgb.XGBClassifier(tree_method="hist", n_jobs=1, random_state=seed, **settings).fit(x[rows], y[rows])

    early, valid = between(train_from, early_until), between(valid_from, valid_until)
    losses = [log_loss(y[valid], fit(early, one, 1).predict_proba(x[valid])[:, 1]) for one in GRID]
    best = GRID[int(np.argmin(losses))]
    train, test = between(train_from, train_until), between(test_from, test_until)
    for seed in range(1, seeds + 1):
        p = fit(train, best, seed).predict_proba(x[test])[:, 1]
        line = {"probabilities": p.tolist(), "labels": y[test].tolist(), "settings": best, "validation": min(losses)}
        print(json.dumps(line), flush=True)


main()
