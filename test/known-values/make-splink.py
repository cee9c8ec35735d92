"""Known values for test/customers/duplicates/score.test.ts, from Splink: pip install splink==4.0.16 pandas; python make-splink.py > splink.json"""
import json
import logging

import pandas
import splink
import splink.comparison_library as cl
from splink import DuckDBAPI, Linker, SettingsCreator

logging.getLogger("splink").setLevel(logging.ERROR)
people = [
    ("a", "eva", "smith", "19800101"), ("b", "eva", "smith", "19800101"), ("c", "tom", "smith", "19900202"),
    ("d", "ina", "smith", "19600303"), ("e", "eva", "smyth", "19800101"), ("f", "udo", "smith", "19700404"),
    ("g", "lou", "martha", "19550505"), ("h", "lou", "marhta", "19660606"), ("i", "ben", "martha", "19440707"),
    ("j", "kim", "martha", None), ("k", None, "dixon", "19330808"), ("l", "ned", "dicksonx", "19330808"),
]
records = pandas.DataFrame(people, columns=["unique_id", "given_name", "family_name", "birth_date"])
prior, given, family, birth = 0.001, ([0.8, 0.2], [0.01, 0.99]), ([0.7, 0.1, 0.2], [0.02, 0.005, 0.975]), ([0.9, 0.1], [0.0001, 0.9999])

def frequencies(column, u):
    """Herkoop's share of a value: the records that hold it besides the pair; of one that nobody else holds, one record or u."""
    held = records[column].count()
    counts = records[column].value_counts()
    return pandas.DataFrame({column: counts.index, f"tf_{column}": [(n - 2) / held if n > 2 else min(1 / held, u) for n in counts.values]})


linker = Linker(
    records,
    SettingsCreator(
        link_type="dedupe_only",
        probability_two_random_records_match=prior,
        blocking_rules_to_generate_predictions=["1 = 1"],
        comparisons=[
            cl.ExactMatch("given_name").configure(term_frequency_adjustments=True, m_probabilities=given[0], u_probabilities=given[1]),
            cl.JaroWinklerAtThresholds("family_name", [0.92]).configure(
                term_frequency_adjustments=True, m_probabilities=family[0], u_probabilities=family[1]
            ),
            cl.ExactMatch("birth_date").configure(term_frequency_adjustments=True, m_probabilities=birth[0], u_probabilities=birth[1]),
        ],
        retain_intermediate_calculation_columns=True,
    ),
    DuckDBAPI(),
)
for column, (_, u) in {"given_name": given, "family_name": family, "birth_date": birth}.items():
    linker.table_management.register_term_frequency_lookup(frequencies(column, u[0]), column)
pairs = linker.inference.predict().as_pandas_dataframe()
similarity = linker.misc.query_sql(
    """select l, r, jaro_winkler_similarity(l, r) as similarity
    from (values ('martha', 'marhta'), ('dixon', 'dicksonx'), ('smith', 'smyth'), ('dwayne', 'duane')) t(l, r)"""
)
print(
    json.dumps(
        {
            "version": splink.__version__,
            "people": people,
            "prior": prior,
            "shares": {
                name: {"m": m, "u": u} for name, (m, u) in {"given_name": given, "family_name": family, "birth_date": birth}.items()
            },
            "pairs": [
                {"l": row.unique_id_l, "r": row.unique_id_r, "levels": [row.gamma_given_name, row.gamma_family_name, row.gamma_birth_date], "match_weight": row.match_weight, "probability": row.match_probability}
                for row in pairs.sort_values(["unique_id_l", "unique_id_r"]).itertuples()
            ],
            "jaro_winkler": similarity.values.tolist(),
        },
        indent=1,
    )
)
