"""BG/NBD and Pareto/NBD of `lifetimes` beside Herkoop's predictions of customers, judged on the same rows.

python lifetimes_weeks.py ORDERS.csv CUTOFF PREDICTIONS.parquet [PREDICTIONS.parquet ...]

ORDERS.csv: user, at (day). Both are fitted by maximum likelihood on the days with an order before CUTOFF. Of each
model P(next order in week w) follows from P(no order in a span). Prints JSON per system: mean over the weeks of log
loss and AUC of the one-week targets, and the negative log likelihood of the week; Herkoop's per file.
"""
import json
import sys

import numpy as np
import pandas as pd
from lifetimes import BetaGeoFitter, ParetoNBDFitter
from lifetimes.utils import summary_data_from_transaction_data
from sklearn.metrics import log_loss, roc_auc_score


def judge(p: np.ndarray, outcome: np.ndarray) -> dict[str, float]:
    weeks = p.shape[1] - 1
    held = np.clip(p, 1e-9, 1 - 1e-9)
    return {
        "weekly_log_loss": float(np.mean([log_loss(outcome == w, held[:, w], labels=[False, True]) for w in range(weeks)])),
        "weekly_auc": float(np.mean([roc_auc_score(outcome == w, p[:, w]) for w in range(weeks)])),
        "nll": float(-np.log(np.maximum(1e-12, p[np.arange(len(p)), outcome])).mean()),
    }


def distribution(silence: np.ndarray) -> np.ndarray:
    """From P(no order in w weeks), w = 0..H, to P(next order in week w) and later."""
    return np.concatenate([silence[:, :-1] - silence[:, 1:], silence[:, -1:]], axis=1)


def main(orders: str, cutoff: str, *files: str) -> None:
    first = pd.read_parquet(files[0])
    names = [name for name in first.columns if name.startswith("p_week_")] + ["p_later"]
    weeks = len(names) - 1
    bought = pd.read_csv(orders, dtype={"user": str})
    bought["at"] = pd.to_datetime(bought["at"].str.slice(0, 10))
    end = pd.Timestamp(cutoff) - pd.Timedelta(days=1)
    known = bought[bought["at"] <= end]
    summary = summary_data_from_transaction_data(known, "user", "at", observation_period_end=end, freq="D")
    rows = summary.loc[first["customer"].astype(str)]
    x, t_x, T = (rows[name].to_numpy(dtype=float) / scale for name, scale in (("frequency", 1), ("recency", 7), ("T", 7)))
    every = [summary["frequency"], summary["recency"] / 7, summary["T"] / 7]
    label = first["label_week"].to_numpy(dtype=int)
    outcome = np.where(label == 0, weeks, label - 1)
    spans = np.arange(weeks + 1)
    answer: dict[str, list[dict[str, float]]] = {"herkoop": []}
    for file in files:
        p = pd.read_parquet(file)
        assert (p["customer"] == first["customer"]).all()
        answer["herkoop"].append(judge(p[names].to_numpy(dtype=float), outcome))
    bg = BetaGeoFitter(penalizer_coef=0.0).fit(*every)
    alive = np.asarray(bg.conditional_probability_alive(x, t_x, T)).reshape(-1, 1)
    r, alpha = bg.params_["r"], bg.params_["alpha"]
    quiet = ((alpha + T[:, None]) / (alpha + T[:, None] + spans)) ** (r + x[:, None])
    answer["lifetimes BG/NBD"] = [judge(distribution(1 - alive * (1 - quiet)), outcome)]
    pareto = ParetoNBDFitter(penalizer_coef=0.0).fit(*every)
    silence = np.stack(
        [np.ones(len(x)), *[np.asarray(pareto.conditional_probability_of_n_purchases_up_to_time(0, span, x, t_x, T)) for span in spans[1:]]],
        axis=1,
    )
    answer["lifetimes Pareto/NBD"] = [judge(distribution(silence), outcome)]
    print(json.dumps(answer))


if __name__ == "__main__":
    main(*sys.argv[1:])
