export interface Level {
  readonly name: string;
  /** Holds for a pair at this level; over the records `l` and `r` and `pair.is_swapped`. The first level that holds counts. */
  readonly when: string;
  /** The column (or `place`) whose value decides what the agreement is worth, by how many hold it. */
  readonly frequency?: string;
  /** Its share among matches before anything was learned. */
  readonly m: number;
}

/** One property that two records are compared on. */
export interface Comparison {
  readonly name: string;
  /** Holds where one of the two says nothing: then the comparison counts neither way. */
  readonly missing: string;
  /** From the best to the worst; what is below all of them is level "different". */
  readonly levels: readonly Level[];
  /** People of one household share it. */
  readonly isShared: boolean;
  /**
   * For a comparison that only namesakes have, whose u is learned from pairs of equal names: the shares
   * among such strangers before anything was learned, by level number.
   */
  readonly strangers?: readonly number[];
}

export const DIFFERENT = "different";

function near(left: string, right: string): string {
  return `(jaro_winkler_similarity(${left}, ${right}) >= 0.92 OR ${within(left, right, 1)})`;
}

/** At most `edits` insertions, deletions, substitutions or transpositions (Damerau 1964); the bound by Levenshtein is five times as fast. */
function edits(left: string, right: string, most: number): string {
  return `(levenshtein(${left}, ${right}) <= ${2 * most} AND damerau_levenshtein(${left}, ${right}) <= ${most})`;
}

/** The same, of texts long enough for it. */
function within(left: string, right: string, most: number): string {
  return `(length(${left}) > ${3 * most} AND ${edits(left, right, most)})`;
}

function begins(left: string, right: string): string {
  return `(least(length(${left}), length(${right})) >= 3 AND (starts_with(${left}, ${right}) OR starts_with(${right}, ${left})))`;
}

function similar(left: string, right: string, from: number): string {
  return `jaro_winkler_similarity(${left}, ${right}) >= ${from}`;
}

function missing(...columns: readonly string[]): string {
  return columns.map((column) => `l.${column} IS NULL OR r.${column} IS NULL`).join(" OR ");
}

function same(column: string): string {
  return `l.${column} = r.${column}`;
}

/** Whether the names do not tell the two apart; an initial or a missing given name does not either. */
const NAMESAKES = `coalesce(pair.is_swapped OR ${near("l.family_name", "r.family_name")} AND coalesce(left(l.given_name, 1) = left(r.given_name, 1), true), false)`;

const EMAIL_LEVELS: readonly Level[] = [
  { name: "equal", when: same("email"), frequency: "email", m: 0.5 },
  { name: "nearly equal", when: edits("l.email", "r.email", 2), m: 0.1 },
  {
    name: "equal before the @",
    when: same("email_local"),
    frequency: "email_local",
    m: 0.1,
  },
  {
    name: "nearly equal before the @",
    when: within("l.email_local", "r.email_local", 2),
    m: 0.05,
  },
];

/**
 * What is compared, with levels after Winkler (1990) and Fellegi & Sunter (1969). That given and family
 * name were swapped is a level of the given name and stands for both names. Postcode and city are one
 * comparison, so that a postcode that implies its city does not count twice. Addresses are made of names:
 * what equal e-mail addresses say is learned apart for people of one name.
 */
export const COMPARISONS: readonly Comparison[] = [
  {
    name: "given_name",
    missing: missing("given_name"),
    isShared: false,
    levels: [
      { name: "swapped with the family name", when: "pair.is_swapped", m: 0.02 },
      {
        name: "equal",
        when: same("given_name"),
        frequency: "given_name",
        m: 0.75,
      },
      { name: "nearly equal", when: near("l.given_name", "r.given_name"), m: 0.1 },
      {
        name: "first name equal, or one begins the other",
        when: `l.given_first = r.given_first AND length(l.given_first) > 1 OR ${begins("l.given_name", "r.given_name")}`,
        m: 0.04,
      },
      {
        name: "initial",
        when: "least(length(l.given_name), length(r.given_name)) = 1 AND left(l.given_name, 1) = left(r.given_name, 1)",
        m: 0.01,
      },
      { name: "similar", when: similar("l.given_name", "r.given_name", 0.8), m: 0.03 },
    ],
  },
  {
    name: "family_name",
    missing: `${missing("family_name")} OR pair.is_swapped`,
    isShared: true,
    levels: [
      {
        name: "equal",
        when: same("family_name"),
        frequency: "family_name",
        m: 0.75,
      },
      { name: "nearly equal", when: near("l.family_name", "r.family_name"), m: 0.12 },
      {
        name: "one holds the other",
        when: `least(length(l.family_name), length(r.family_name)) >= 3 AND (contains(l.family_name, r.family_name) OR contains(r.family_name, l.family_name))`,
        m: 0.03,
      },
      { name: "similar", when: similar("l.family_name", "r.family_name", 0.8), m: 0.04 },
    ],
  },
  {
    name: "birth_date",
    missing: missing("birth_date"),
    isShared: false,
    levels: [
      {
        name: "equal",
        when: same("birth_date"),
        frequency: "birth_date",
        m: 0.8,
      },
      {
        name: "day and month swapped",
        when: "left(l.birth_date, 4) = left(r.birth_date, 4) AND substr(l.birth_date, 5, 2) = right(r.birth_date, 2) AND substr(r.birth_date, 5, 2) = right(l.birth_date, 2)",
        m: 0.02,
      },
      {
        name: "one edit",
        when: edits("l.birth_date", "r.birth_date", 1),
        m: 0.08,
      },
      {
        name: "two of day, month and year equal",
        when: "(left(l.birth_date, 4) = left(r.birth_date, 4))::INT + (substr(l.birth_date, 5, 2) = substr(r.birth_date, 5, 2))::INT + (right(l.birth_date, 2) = right(r.birth_date, 2))::INT = 2",
        m: 0.04,
      },
      {
        name: "two edits",
        when: edits("l.birth_date", "r.birth_date", 2),
        m: 0.02,
      },
    ],
  },
  {
    name: "street",
    missing: missing("street"),
    isShared: true,
    levels: [
      {
        name: "equal",
        when: same("street"),
        frequency: "street",
        m: 0.6,
      },
      {
        name: "number equal, name nearly",
        when: `${same("house_number")} AND ${near("l.street_name", "r.street_name")}`,
        m: 0.12,
      },
      {
        name: "name equal or nearly, number not",
        when: `(l.street_name = r.street_name OR ${near("l.street_name", "r.street_name")})`,
        m: 0.08,
      },
      {
        name: "number equal, name similar",
        when: `${same("house_number")} AND ${similar("l.street_name", "r.street_name", 0.75)}`,
        m: 0.02,
      },
      { name: "number equal", when: same("house_number"), m: 0.05 },
      { name: "name similar", when: similar("l.street_name", "r.street_name", 0.8), m: 0.02 },
    ],
  },
  {
    name: "place",
    missing: "coalesce(l.postcode = r.postcode, l.city = r.city) IS NULL",
    isShared: true,
    levels: [
      {
        name: "postcode and city equal",
        when: `${same("postcode")} AND ${same("city")}`,
        frequency: "place",
        m: 0.5,
      },
      {
        name: "postcode equal, city nearly",
        when: `${same("postcode")} AND ${near("l.city", "r.city")}`,
        frequency: "postcode",
        m: 0.08,
      },
      {
        name: "city equal, postcode nearly",
        when: `${same("city")} AND ${edits("l.postcode", "r.postcode", 1)}`,
        frequency: "city",
        m: 0.06,
      },
      {
        name: "postcode equal",
        when: same("postcode"),
        frequency: "postcode",
        m: 0.08,
      },
      {
        name: "city equal",
        when: same("city"),
        frequency: "city",
        m: 0.08,
      },
      {
        name: "postcode and city nearly equal",
        when: `${edits("l.postcode", "r.postcode", 1)} AND ${near("l.city", "r.city")}`,
        m: 0.02,
      },
      { name: "city nearly equal", when: near("l.city", "r.city"), m: 0.06 },
      {
        name: "postcode nearly equal",
        when: edits("l.postcode", "r.postcode", 1),
        m: 0.03,
      },
    ],
  },
  {
    name: "email",
    missing: `${missing("email")} OR ${NAMESAKES}`,
    isShared: false,
    levels: EMAIL_LEVELS,
  },
  {
    name: "email_of_namesakes",
    missing: `${missing("email")} OR NOT ${NAMESAKES}`,
    isShared: false,
    strangers: [0.9, 0.04, 0.03, 0.02, 0.01],
    levels: EMAIL_LEVELS,
  },
  {
    name: "phone",
    missing: missing("phone"),
    isShared: true,
    levels: [
      {
        name: "equal",
        when: same("phone"),
        frequency: "phone",
        m: 0.6,
      },
      { name: "one edit", when: edits("l.phone", "r.phone", 1), m: 0.1 },
    ],
  },
  {
    name: "other_id",
    missing: missing("other_id"),
    isShared: false,
    levels: [
      {
        name: "equal",
        when: same("other_id"),
        frequency: "other_id",
        m: 0.8,
      },
      { name: "one edit", when: within("l.other_id", "r.other_id", 1), m: 0.1 },
      { name: "two edits", when: within("l.other_id", "r.other_id", 2), m: 0.03 },
    ],
  },
];

/** The level's number in the tables: the best has the highest, 0 is "different", -1 "missing". */
export function levelNumber(comparison: Comparison, index: number): number {
  return comparison.levels.length - index;
}

/** The levels as an SQL expression over `l`, `r` and `pair.is_swapped`. */
function levelSql(comparison: Comparison): string {
  const cases = comparison.levels.map(
    ({ when }, index) => `WHEN ${when} THEN ${levelNumber(comparison, index)}`,
  );
  return `CAST(CASE WHEN ${comparison.missing} THEN -1 ${cases.join(" ")} ELSE 0 END AS TINYINT)`;
}

/**
 * Makes the table `name` of the pairs (`l_number`, `r_number`) of a query: the columns of that query and
 * the level of each comparison, named for it.
 */
export function comparePairsSql(name: string, pairs: string): string {
  const straight =
    "jaro_winkler_similarity(l.given_name, r.given_name) + jaro_winkler_similarity(l.family_name, r.family_name)";
  const crossed =
    "jaro_winkler_similarity(l.given_name, r.family_name) + jaro_winkler_similarity(l.family_name, r.given_name)";
  const swapped = `coalesce(l.given_name <> r.given_name AND (left(l.given_name, 1) = left(r.family_name, 1) OR left(l.family_name, 1) = left(r.given_name, 1))
      AND jaro_winkler_similarity(l.given_name, r.family_name) >= 0.88 AND jaro_winkler_similarity(l.family_name, r.given_name) >= 0.88
      AND ${crossed} > ${straight}, false)`;
  return `CREATE OR REPLACE TEMP TABLE ${name} AS
    SELECT pair.* EXCLUDE (is_swapped), ${COMPARISONS.map((one) => `${levelSql(one)} AS ${one.name}`).join(",\n")}
    FROM (SELECT found.*, ${swapped} AS is_swapped FROM (${pairs}) AS found ${bothRecords("found")}) AS pair ${bothRecords("pair")}`;
}

function bothRecords(pair: string): string {
  return `JOIN record AS l ON l.number = ${pair}.l_number JOIN record AS r ON r.number = ${pair}.r_number`;
}
