"""The 13 features with polars, lazily from FOLDER/events.parquet at CUTOFF into Parquet.

Prints seconds on the clock and of the processor (reading and writing included, imports not), peak memory and check sums as one JSON line.
A third argument names another engine than polars' streaming one.
"""

import json
import resource
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path

import polars
from polars import col

folder = Path(sys.argv[1])
cutoff = datetime.fromisoformat(sys.argv[2].removesuffix("Z"))
engine = sys.argv[3] if len(sys.argv) > 3 else "streaming"
DAY_US = 86_400_000_000


def days(duration: polars.Expr) -> polars.Expr:
    return duration.dt.total_microseconds() / DAY_US


def sessions(number: int) -> polars.Expr:
    recent = col("session_id").filter(col("ts") >= cutoff - timedelta(days=number))
    return recent.n_unique().alias(f"sessions_{number}")


def last(kind: str) -> polars.Expr:
    return col("ts").filter(col("type") == kind).max()


begin, cpu_begin = time.perf_counter(), time.process_time()
events = polars.scan_parquet(folder / "events.parquet").filter(col("ts") < cutoff)
customers = events.group_by("customer_id").agg(
    polars.len().alias("n_events"),
    days(cutoff - last("purchase")).alias("recency"),
    (col("type") == "purchase").sum().alias("frequency"),
    col("amount").sum().alias("monetary"),
    col("category").filter(col("type") == "view").n_unique().alias("n_cat"),
    *(sessions(number) for number in (1, 7, 30, 90)),
    days(cutoff - last("view")).alias("view_days"),
)
purchases = events.filter(col("type") == "purchase").sort("customer_id", "ts", "event_id")
gap = days(col("ts").diff()).alias("gap")
rhythm = purchases.group_by("customer_id", maintain_order=True).agg(
    gap.mean().alias("ip_mean"), gap.std().alias("ip_std")
)
carts = (
    events.filter(col("type").is_in(["cart", "purchase"]))
    .group_by("customer_id", "product_id")
    .agg(last("cart").alias("carted"), last("purchase").alias("bought"))
    .filter((col("carted") > col("bought")) | (col("carted").is_not_null() & col("bought").is_null()))
    .group_by("customer_id")
    .agg(polars.len().alias("open_carts"))
)
features = (
    customers.join(rhythm, on="customer_id", how="left")
    .join(carts, on="customer_id", how="left")
    .with_columns(col("open_carts").fill_null(0))
    .collect(engine=engine)
)
features.write_parquet(folder / "features-polars.parquet")
seconds, cpu_seconds = time.perf_counter() - begin, time.process_time() - cpu_begin

peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
names = [name for name in features.columns if name != "customer_id"]
checksum = {name: float(features[name].cast(polars.Float64).sum()) for name in names}
measured = {"seconds": seconds, "cpuSeconds": cpu_seconds, "peakMiB": peak}
print(json.dumps({**measured, "rows": len(features), "checksum": checksum}))
