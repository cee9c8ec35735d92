"""XGBoost on a table of shoppers: in each of five folds, tuned on a fifth of the fold's training rows, then fitted on all of them.

python xgboost_shoppers.py TABLE.csv SEED...

The table has the features, `label` and, per seed, `part_SEED` from 0 to 24: fold f is judged on rows whose part // 5 is f; of the others,
those whose part % 5 is f are validated on. Prints one JSON line per seed: the probability of each row, and the settings of each fold.
"""
import json
import sys

import numpy as np
import pandas as pd
import xgboost as xgb
from sklearn.metrics import log_loss

GRID = [
    {"n_estimators": 200, "max_depth": 5, "learning_rate": 0.1},
    {"n_estimators": 300, "max_depth": 3, "learning_rate": 0.05, "subsample": 0.7, "colsample_bytree": 0.7, "min_child_weight": 5},
    {"n_estimators": 300, "max_depth": 4, "learning_rate": 0.03, "subsample": 0.7, "colsample_bytree": 0.7, "min_child_weight": 5},
    {"n_estimators": 300, "max_depth": 5, "learning_rate": 0.03, "subsample": 0.8, "colsample_bytree": 0.5, "min_child_weight": 5},
    {"n_estimators": 400, "max_depth": 5, "learning_rate": 0.02, "subsample": 0.7, "colsample_bytree": 0.7, "min_child_weight": 10},
    {"n_estimators": 400, "max_depth": 6, "learning_rate": 0.02, "subsample": 0.6, "colsample_bytree": 0.3, "min_child_weight": 10},
    {"n_estimators": 300, "max_depth": 6, "learning_rate": 0.02, "subsample": 0.6, "colsample_bytree": 0.8, "min_child_weight": 20},
]


def main() -> None:
    frame = pd.read_csv(sys.argv[1])
    y = frame["label"].to_numpy()
    x = frame[[name for name in frame.columns if name != "label" and not name.startswith("part_")]].to_numpy(dtype=np.float32)

    def fit(rows: np.ndarray, settings: dict, seed: int) -> xgb.XGBClassifier:
        return xgb.XGBClassifier(tree_method="hist", n_jobs=1, random_state=seed, **settings).fit(x[rows], y[rows])

    for seed in map(int, sys.argv[2:]):
        part = frame[f"part_{seed}"].to_numpy()
        p = np.zeros(len(y))
        chosen = []
        for fold in range(5):
            test = part // 5 == fold
            valid = ~test & (part % 5 == fold)
            early = ~test & ~valid
            losses = [log_loss(y[valid], fit(early, one, seed).predict_proba(x[valid])[:, 1]) for one in GRID]
            best = GRID[int(np.argmin(losses))]
            chosen.append(best)
            p[test] = fit(~test, best, seed).predict_proba(x[test])[:, 1]
        print(json.dumps({"probabilities": p.tolist(), "settings": chosen}), flush=True)


main()
