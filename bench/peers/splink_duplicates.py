"""Splink on the records that Herkoop gets: python splink_duplicates.py people.parquet pairs.parquet febrl|fake|shop tutorial|all-fields [link]

The settings are those of Splink's own examples for these data sets (docs/demos: febrl4's detailed model with
febrl3's and febrl4's blocking rules; the labelled-column example for fake_1000; deduplicate_50k_synthetic for the
generated shop). "all-fields" adds comparisons, so that Splink sees every field that Herkoop sees.
Prints {"seconds", "candidates", "version"}; writes l_id, r_id, match_weight, probability of every pair it scored.
"""
import json
import logging
import sys
import time

import duckdb
import splink
import splink.comparison_library as cl
from splink import DuckDBAPI, Linker, SettingsCreator, block_on

logging.getLogger("splink").setLevel(logging.ERROR)
people, out, kind, fields, *rest = sys.argv[1:]
is_link = rest == ["link"]
all_fields = fields == "all-fields"
SWAPPED = "l.given_name = r.family_name and l.family_name = r.given_name"


def febrl():
    comparisons = [
        cl.NameComparison("given_name").configure(term_frequency_adjustments=True),
        cl.NameComparison("family_name").configure(term_frequency_adjustments=True),
        cl.DateOfBirthComparison("birth_date", input_is_string=True, datetime_format="%Y%m%d", invalid_dates_as_null=True),
        cl.DamerauLevenshteinAtThresholds("other_id", [1, 2]),
        cl.ExactMatch("street_number").configure(term_frequency_adjustments=True),
        cl.DamerauLevenshteinAtThresholds("postcode", [1, 2]).configure(term_frequency_adjustments=True),
    ]
    if all_fields:
        comparisons += [
            cl.JaroWinklerAtThresholds("street_name", [0.92, 0.8]).configure(term_frequency_adjustments=True),
            cl.JaroWinklerAtThresholds("city", [0.92, 0.8]).configure(term_frequency_adjustments=True),
        ]
    return dict(
        comparisons=comparisons,
        blocking=[
            block_on("given_name", "family_name"), SWAPPED, block_on("birth_date"), block_on("other_id"),
            block_on("street_number", "street_name"), block_on("postcode"), block_on("given_name"), block_on("family_name"),
        ],
        deterministic=[block_on("other_id"), block_on("given_name", "family_name", "birth_date"), SWAPPED + " and l.birth_date = r.birth_date"],
        recall=0.8,
        training=[block_on("birth_date"), block_on("postcode")],
        pairs=1e6,
    )


def fake():
    comparisons = [
        cl.ForenameSurnameComparison("given_name", "family_name", forename_surname_concat_col_name="both_names"),
        cl.DateOfBirthComparison("birth_date", input_is_string=True),
        cl.ExactMatch("city").configure(term_frequency_adjustments=True),
        cl.EmailComparison("email"),
    ]
    if all_fields:
        comparisons[2] = cl.JaroWinklerAtThresholds("city", [0.92, 0.8]).configure(term_frequency_adjustments=True)
    return dict(
        comparisons=comparisons,
        blocking=[block_on("given_name"), block_on("family_name"), block_on("birth_date"), block_on("email")],
        deterministic=[
            "l.given_name = r.given_name and levenshtein(r.birth_date, l.birth_date) <= 1",
            "l.family_name = r.family_name and levenshtein(r.birth_date, l.birth_date) <= 1",
            "l.given_name = r.given_name and levenshtein(r.family_name, l.family_name) <= 2",
            block_on("email"),
        ],
        recall=0.7,
        training=[block_on("birth_date"), block_on("email"), block_on("given_name", "family_name")],
        pairs=1e6,
    )


def shop():
    comparisons = [
        cl.ForenameSurnameComparison("given_name", "family_name", forename_surname_concat_col_name="both_names"),
        cl.DateOfBirthComparison("birth_date", input_is_string=True),
        cl.DamerauLevenshteinAtThresholds("postcode", [1, 2]).configure(term_frequency_adjustments=True),
        cl.EmailComparison("email"),
        cl.DamerauLevenshteinAtThresholds("phone", [1, 2]),
    ]
    if all_fields:
        comparisons += [
            cl.JaroWinklerAtThresholds("city", [0.92, 0.8]).configure(term_frequency_adjustments=True),
            cl.JaroWinklerAtThresholds("street", [0.92, 0.8]).configure(term_frequency_adjustments=True),
        ]
    return dict(
        comparisons=comparisons,
        blocking=[
            block_on("substr(given_name,1,3)", "substr(family_name,1,4)"), block_on("family_name", "birth_date"),
            block_on("given_name", "birth_date"), block_on("postcode", "given_name"), block_on("postcode", "family_name"),
            block_on("email"), block_on("phone"), SWAPPED,
            block_on("substr(given_name,1,2)", "substr(family_name,1,2)", "substr(birth_date,1,4)"),
        ],
        deterministic=[block_on("given_name", "family_name", "birth_date"), block_on("email"), block_on("birth_date", "postcode")],
        recall=0.6,
        training=[block_on("given_name", "family_name"), block_on("birth_date")],
        pairs=1e7,
    )


began = time.perf_counter()
chosen = {"febrl": febrl, "fake": fake, "shop": shop}[kind]()
connection = duckdb.connect()
connection.execute(f"create table people as select *, given_name || ' ' || family_name as both_names from read_parquet('{people}')")
sides = ["dataset = 'a'", "dataset = 'b'"] if is_link else ["true"]
tables = [connection.query(f"select * from people where {side}").df() for side in sides]
settings = SettingsCreator(
    unique_id_column_name="record_id",
    link_type="link_only" if is_link else "dedupe_only",
    blocking_rules_to_generate_predictions=chosen["blocking"],
    comparisons=chosen["comparisons"],
)
linker = Linker(tables if is_link else tables[0], settings, DuckDBAPI())
linker.training.estimate_probability_two_random_records_match(chosen["deterministic"], recall=chosen["recall"])
linker.training.estimate_u_using_random_sampling(max_pairs=chosen["pairs"], seed=1)
for rule in chosen["training"]:
    linker.training.estimate_parameters_using_expectation_maximisation(rule, estimate_without_term_frequencies=True)
pairs = linker.inference.predict().as_pandas_dataframe()
seconds = time.perf_counter() - began
scored = pairs[["record_id_l", "record_id_r", "match_weight", "match_probability"]]
scored.columns = ["l_id", "r_id", "match_weight", "probability"]
connection.register("scored", scored)
connection.execute(f"copy (select * from scored) to '{out}' (format parquet)")
print(json.dumps({"seconds": seconds, "candidates": len(scored), "version": splink.__version__}))
