"""Known values for test/models/metrics.test.ts, from scikit-learn and NumPy: python make-metrics.py > metrics.json"""
import json

import numpy as np
import sklearn
from scipy.stats import norm
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score

rng = np.random.default_rng(20111210)
cases = []
for rows, digits in [(40, 1), (200, 2), (500, 6)]:
    p = np.round(rng.beta(1, 4, rows), digits).clip(0.0001, 0.9999)
    y = (rng.random(rows) < p).astype(int)
    cases.append(
        {
            "probabilities": p.tolist(),
            "outcomes": y.tolist(),
            "roc_auc": roc_auc_score(y, p),
            "average_precision": average_precision_score(y, p),
            "log_loss": log_loss(y, p),
            "brier": brier_score_loss(y, p),
        }
    )
points = [0.001, 0.01, 0.02425, 0.1, 0.5, 0.77, 0.999]
print(
    json.dumps(
        {
            "versions": {"scikit-learn": sklearn.__version__, "numpy": np.__version__},
            "cases": cases,
            "normal_quantiles": [[x, norm.ppf(x)] for x in points],
        }
    )
)
