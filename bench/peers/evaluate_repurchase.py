"""One judge for all: the figures of a repurchase predictions file, by scikit-learn.

python evaluate_repurchase.py PREDICTIONS.parquet

Columns p_week_1 .. p_week_H, p_later, label_week (1..H, 0 for later or never). Prints JSON.
"""
import json
import sys

import numpy as np
import pandas as pd
from sklearn.metrics import average_precision_score, roc_auc_score


def calibration_error(p: np.ndarray, y: np.ndarray, bins: int = 15) -> float:
    """Mean absolute difference of forecast and share, over bins of equal count."""
    order = np.argsort(p, kind="stable")
    return float(sum(len(part) / len(p) * abs(p[part].mean() - y[part].mean()) for part in np.array_split(order, bins)))


def main(file: str) -> None:
    rows = pd.read_parquet(file)
    weeks = [name for name in rows.columns if name.startswith("p_week_")]
    p = rows[[*weeks, "p_later"]].to_numpy(dtype=float)
    label = rows["label_week"].to_numpy(dtype=int)
    outcome = np.where(label == 0, len(weeks), label - 1)
    soon, is_soon = p[:, :4].sum(axis=1), (label >= 1) & (label <= 4)
    weekly = [(p[:, week], label == week + 1) for week in range(len(weeks))]
    print(
        json.dumps(
            {
                "rows": len(rows),
                "nll": float(-np.log(np.maximum(p[np.arange(len(p)), outcome], 1e-12)).mean()),
                "auc_4w": roc_auc_score(is_soon, soon),
                "average_precision_4w": average_precision_score(is_soon, soon),
                "calibration_error_4w": calibration_error(soon, is_soon),
                "auc_horizon": roc_auc_score(label > 0, p[:, : len(weeks)].sum(axis=1)),
                "weekly_auc": float(np.mean([roc_auc_score(y, x) for x, y in weekly])),
                "weekly_average_precision": float(np.mean([average_precision_score(y, x) for x, y in weekly])),
            }
        )
    )


if __name__ == "__main__":
    main(sys.argv[1])
