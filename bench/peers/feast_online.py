"""Feast's SQLite online store: one feature view of the 13 features of the customers in a Parquet file.

    feast_online.py FEATURES_PARQUET CUSTOMERS READS WRITES

Applies and materialises the view for the first CUSTOMERS rows, then reads one customer at a time, and then
writes one customer and reads it again. Prints milliseconds (p50, p99) as one JSON line.
"""

import json
import logging
import random
import resource
import sys
import tempfile
import time
import warnings
from datetime import datetime, timedelta, timezone
from pathlib import Path

warnings.simplefilter("ignore")
logging.disable(logging.WARNING)

import feast
import pandas
from feast import Entity, FeatureStore, FeatureView, Field, FileSource, RepoConfig, ValueType
from feast.types import Float64

file, customers, reads, writes = sys.argv[1], *map(int, sys.argv[2:5])
AT = datetime(2025, 10, 1, tzinfo=timezone.utc)
VIEW = "customer_features"


def quantiles(seconds: list[float]) -> dict[str, float]:
    ordered = sorted(seconds)
    at = lambda share: 1000 * ordered[int(share * (len(ordered) - 1))]
    return {"p50": at(0.5), "p99": at(0.99)}


def timed(work, times: int) -> list[float]:
    spent = []
    for _ in range(times):
        begin = time.perf_counter()
        work()
        spent.append(time.perf_counter() - begin)
    return spent


with tempfile.TemporaryDirectory() as work:
    folder = Path(work)
    frame = pandas.read_parquet(file).sort_values("customer_id").head(customers)
    names = [name for name in frame.columns if name != "customer_id"]
    frame = frame.astype({"customer_id": "int64", **dict.fromkeys(names, "float64")})
    frame["event_timestamp"] = AT
    frame.to_parquet(folder / "features.parquet")

    store = FeatureStore(
        config=RepoConfig(
            project="bench",
            provider="local",
            registry=str(folder / "registry.db"),
            online_store={"type": "sqlite", "path": str(folder / "online.db")},
            offline_store={"type": "file"},
            entity_key_serialization_version=3,
        )
    )
    customer = Entity(name="customer", join_keys=["customer_id"], value_type=ValueType.INT64)
    view = FeatureView(
        name=VIEW,
        entities=[customer],
        ttl=timedelta(0),
        schema=[Field(name=name, dtype=Float64) for name in names],
        source=FileSource(
            path=str(folder / "features.parquet"), timestamp_field="event_timestamp"
        ),
    )
    store.apply([customer, view])

    begin = time.perf_counter()
    store.materialize(start_date=AT - timedelta(days=1), end_date=AT + timedelta(days=1))
    materialize_seconds = time.perf_counter() - begin

    ids = [int(value) for value in frame["customer_id"]]
    chance = random.Random(1)
    wanted = [f"{VIEW}:{name}" for name in names]

    def read(customer_id: int) -> dict:
        rows = [{"customer_id": customer_id}]
        return store.get_online_features(features=wanted, entity_rows=rows).to_dict()

    expected = frame.set_index("customer_id")
    for customer_id in chance.sample(ids, 20):
        got = read(customer_id)["n_events"][0]
        assert got == expected["n_events"][customer_id], (customer_id, got)

    read_times = timed(lambda: read(chance.choice(ids)), reads)

    fresh = {"count": 0}

    def write_and_read() -> None:
        customer_id = chance.choice(ids)
        fresh["count"] += 1
        row = expected.loc[[customer_id]].reset_index()
        row["n_events"] = float(1_000_000 + fresh["count"])
        row["event_timestamp"] = AT + timedelta(seconds=fresh["count"])
        begun = time.perf_counter()
        store.write_to_online_store(VIEW, row)
        got = read(customer_id)["n_events"][0]
        write_times.append(time.perf_counter() - begun)
        assert got == row["n_events"][0], (customer_id, got)

    write_times: list[float] = []
    for _ in range(writes):
        write_and_read()

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        json.dumps(
            {
                "version": feast.__version__,
                "customers": len(ids),
                "materializeSeconds": materialize_seconds,
                "read": quantiles(read_times),
                "writeAndRead": quantiles(write_times),
                "peakMiB": peak,
            }
        )
    )
