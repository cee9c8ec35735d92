"""The 13 features with pandas, from FOLDER/events.csv at CUTOFF into Parquet.

Prints seconds on the clock and of the processor (reading and writing included, imports not), peak memory and check sums as one JSON line.
"""

import json
import resource
import sys
import time
from pathlib import Path

import pandas

folder = Path(sys.argv[1])
cutoff = pandas.Timestamp(sys.argv[2].removesuffix("Z"))
DAY = pandas.Timedelta(days=1)

begin, cpu_begin = time.perf_counter(), time.process_time()
events = pandas.read_csv(
    folder / "events.csv",
    parse_dates=["ts"],
    dtype={
        "event_id": "int32",
        "customer_id": "int32",
        "session_id": "int32",
        "type": "category",
        "product_id": "int32",
        "category": "int16",
    },
)
events = events[events["ts"] < cutoff]
by_customer = events.groupby("customer_id", sort=False)
purchases = events[events["type"] == "purchase"]
bought = purchases.groupby("customer_id", sort=False)
viewed = events[events["type"] == "view"].groupby("customer_id", sort=False)

features = pandas.DataFrame({"n_events": by_customer.size()})
features["recency"] = (cutoff - bought["ts"].max()) / DAY
features["frequency"] = bought.size()
features["monetary"] = by_customer["amount"].sum()
features["n_cat"] = viewed["category"].nunique()
for days in (1, 7, 30, 90):
    recent = events[events["ts"] >= cutoff - days * DAY]
    sessions = recent.drop_duplicates(["customer_id", "session_id"])
    features[f"sessions_{days}"] = sessions.groupby("customer_id", sort=False).size()

in_order = purchases.sort_values(["customer_id", "ts", "event_id"])
gaps = in_order.groupby("customer_id", sort=False)["ts"].diff() / DAY
rhythm = gaps.groupby(in_order["customer_id"], sort=False)
features["ip_mean"] = rhythm.mean()
features["ip_std"] = rhythm.std()
features["view_days"] = (cutoff - viewed["ts"].max()) / DAY

pair = ["customer_id", "product_id"]
carted = events[events["type"] == "cart"].groupby(pair, sort=False)["ts"].max()
last_bought = purchases.groupby(pair, sort=False)["ts"].max().reindex(carted.index)
is_open = last_bought.isna() | (last_bought < carted)
features["open_carts"] = carted[is_open].groupby(level=0, sort=False).size()

counts = ["frequency", "n_cat", "sessions_1", "sessions_7", "sessions_30", "sessions_90", "open_carts"]
features = features.fillna(dict.fromkeys(counts, 0))
features.reset_index().to_parquet(folder / "features-pandas.parquet")
seconds, cpu_seconds = time.perf_counter() - begin, time.process_time() - cpu_begin

peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
checksum = {name: float(features[name].sum()) for name in features.columns}
measured = {"seconds": seconds, "cpuSeconds": cpu_seconds, "peakMiB": peak}
print(json.dumps({**measured, "rows": len(features), "checksum": checksum}))
