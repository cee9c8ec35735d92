"""Reads a CSV or Parquet file with pandas, writes it as Parquet, and prints seconds and peak memory."""

import json
import resource
import sys
import tempfile
import time

import pandas

file = sys.argv[1]
begin = time.perf_counter()
frame = pandas.read_csv(file) if file.endswith(".csv") else pandas.read_parquet(file)
with tempfile.NamedTemporaryFile(suffix=".parquet") as out:
    frame.to_parquet(out.name, compression="zstd")
seconds = time.perf_counter() - begin
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"rows": len(frame), "seconds": seconds, "peakMiB": peak}))
