/** One way in which two records become candidates: an equal key. */
export interface BlockingRule {
  readonly name: string;
  /** The key, over the columns of `record`; NULL for a record that takes no part. */
  readonly key: string;
  /** Comparisons that the key decides; a training pass over the rule's pairs learns the others. */
  readonly decides: readonly string[];
  /** Whether a training pass runs over the rule's pairs. */
  readonly trains: boolean;
  /** Many strangers agree in it: only its smaller blocks are meant to be used. */
  readonly isLoose?: boolean;
}

/** Consonants by their sound, vowels dropped, at most four signs; coarser than Soundex (Russell 1918). */
function sound(column: string): string {
  const mapped = `translate(${column}, 'bdcqgjzxvwmaeiouyh', 'ptkkkkssffn.......')`;
  const bare = `replace(${mapped}, '.', '')`;
  const single = ["p", "t", "k", "s", "f", "n", "l", "r"].reduce(
    (text, letter) => `replace(${text}, '${letter}${letter}', '${letter}')`,
    bare,
  );
  return `left(CASE WHEN ${bare} = '' THEN ${column} ELSE ${single} END, 4)`;
}

const bothNames = (given: string, family: string): string =>
  `least(${given}, ${family}) || '|' || CASE WHEN given_name IS NULL OR family_name IS NULL THEN NULL ELSE greatest(${given}, ${family}) END`;

const monthAndDay =
  "least(substr(birth_date, 5, 2), right(birth_date, 2)) || greatest(substr(birth_date, 5, 2), right(birth_date, 2))";

const NAMES = ["given_name", "family_name"];
const EMAILS = ["email", "email_of_namesakes"];

/** The ways to become a candidate; one that agrees in none of them is not found. Missing columns give none. */
export const BLOCKING_RULES: readonly BlockingRule[] = [
  { name: "names", key: bothNames("given_name", "family_name"), decides: NAMES, trains: true },
  {
    name: "birth date",
    key: `left(birth_date, 4) || ${monthAndDay}`,
    decides: ["birth_date"],
    trains: true,
  },
  { name: "e-mail", key: "email", decides: EMAILS, trains: true },
  { name: "phone", key: "phone", decides: ["phone"], trains: true },
  { name: "other id", key: "other_id", decides: ["other_id"], trains: true },
  { name: "street", key: "street", decides: ["street"], trains: true },
  {
    name: "given name and postcode",
    key: "given_name || '|' || postcode",
    decides: ["given_name", "place"],
    trains: true,
  },
  {
    name: "family name and postcode",
    key: "family_name || '|' || postcode",
    decides: ["family_name", "place"],
    trains: true,
  },
  {
    name: "given name and city",
    key: "given_name || '|' || city",
    decides: ["given_name", "place"],
    trains: false,
  },
  {
    name: "family name and city",
    key: "family_name || '|' || city",
    decides: ["family_name", "place"],
    trains: false,
  },
  {
    name: "e-mail before the @",
    key: "CASE WHEN length(email_local) >= 4 THEN email_local END",
    decides: EMAILS,
    trains: false,
  },
  {
    name: "sounds of both names",
    key: bothNames(sound("given_name"), sound("family_name")),
    decides: NAMES,
    trains: false,
  },
  {
    name: "sound of the family name and birth year",
    key: `${sound("family_name")} || '|' || left(birth_date, 4)`,
    decides: ["family_name", "birth_date"],
    trains: false,
  },
  {
    name: "sound of the given name and birth year",
    key: `${sound("given_name")} || '|' || left(birth_date, 4)`,
    decides: ["given_name", "birth_date"],
    trains: false,
  },
  {
    name: "family name and birth day",
    key: `family_name || '|' || ${monthAndDay}`,
    decides: ["family_name", "birth_date"],
    trains: false,
  },
  {
    name: "given name and birth day",
    key: `given_name || '|' || ${monthAndDay}`,
    decides: ["given_name", "birth_date"],
    trains: false,
  },
  {
    name: "street name and postcode",
    key: "street_name || '|' || postcode",
    decides: ["street", "place"],
    trains: false,
  },
  {
    name: "house number and postcode",
    key: "house_number || '|' || postcode",
    decides: ["street", "place"],
    trains: false,
  },
  loose("given name", "given_name", ["given_name"]),
  loose("family name", "family_name", ["family_name"]),
  loose("sound of the family name", sound("family_name"), ["family_name"]),
  loose("birth year and month", "left(birth_date, 6)", ["birth_date"]),
  loose("birth day", "right(birth_date, 4)", ["birth_date"]),
  loose("beginning of the e-mail", "left(email_local, 5)", EMAILS),
  loose("domain of the e-mail", "split_part(email, '@', 2)", EMAILS),
  loose("birth year and city", "left(birth_date, 4) || '|' || city", ["place"]),
];

function loose(name: string, key: string, decides: readonly string[]): BlockingRule {
  return { name, key, decides, trains: false, isLoose: true };
}

const LOOSE = BLOCKING_RULES.flatMap((rule, index) => (rule.isLoose === true ? [index] : [])).join(
  ", ",
);

/** Bounds on what one rule may bring. */
export interface BlockingLimits {
  /** A key shared by more records than this is no evidence (a default, a placeholder): its block is skipped. */
  readonly blockSizeMax: number;
  /** The largest blocks of a rule are skipped until its pairs are at most this many. */
  readonly rulePairsMax: number;
  /** The same for a loose rule, whose large blocks are no fault. */
  readonly looseRulePairsMax: number;
}

/** Makes the table `block`: rule, key, number of each record in a block of two or more, and `is_skipped`. */
export function blocksSql(limits: BlockingLimits): string {
  const { blockSizeMax, rulePairsMax, looseRulePairsMax } = limits;
  const keys = BLOCKING_RULES.map(
    ({ key }, rule) => `SELECT ${rule} AS rule, ${key} AS key, number FROM record`,
  );
  return `CREATE OR REPLACE TEMP TABLE block AS
    WITH keyed AS (SELECT rule, key, number FROM (${keys.join("\nUNION ALL ")}) WHERE key IS NOT NULL),
    sized AS (SELECT rule, key, count(*) AS size FROM keyed GROUP BY rule, key HAVING count(*) > 1),
    by_size AS (SELECT rule, size, CAST(sum(size * (size - 1) / 2) AS BIGINT) AS pairs FROM sized GROUP BY rule, size),
    bounded AS (SELECT rule, size, sum(pairs) OVER (PARTITION BY rule ORDER BY size) AS pairs_to_here FROM by_size)
    SELECT rule, key, number, size, size > ${blockSizeMax} OR pairs_to_here > CASE WHEN rule IN (${LOOSE}) THEN ${looseRulePairsMax} ELSE ${rulePairsMax} END AS is_skipped
    FROM keyed JOIN sized USING (rule, key) JOIN bounded USING (rule, size)`;
}

/** Per rule with skipped blocks (loose rules aside): how many, how many records are in the largest, and how many pairs were left out. */
export function skippedBlocksSql(): string {
  return `SELECT rule, count(*) AS blocks, max(size) AS largest, sum(size * (size - 1) / 2) AS pairs
    FROM (SELECT DISTINCT rule, key, size FROM block WHERE is_skipped AND rule NOT IN (${LOOSE})) GROUP BY rule ORDER BY rule`;
}

/** The candidate pairs, each once (`l_number` < `r_number`), with the rules that found it as bits. */
export function candidatesSql(): string {
  return `SELECT l.number AS l_number, r.number AS r_number, bit_or(1 << l.rule) AS rules
    FROM block AS l JOIN block AS r ON l.rule = r.rule AND l.key = r.key AND l.number < r.number
    WHERE NOT l.is_skipped AND NOT r.is_skipped GROUP BY l.number, r.number`;
}

/**
 * Pairs of any two records: all of them where there are at most `limit`, else `limit` drawn by a hash of
 * the seed, with repetition. Records are numbered by content, so the same people give the same sample.
 */
export function randomPairsSql(records: number, limit: number, seed: number): string {
  if ((records * (records - 1)) / 2 <= limit) {
    return "SELECT l.number AS l_number, r.number AS r_number FROM record AS l JOIN record AS r ON l.number < r.number";
  }
  return `SELECT least(x, y) AS l_number, greatest(x, y) AS r_number
    FROM (SELECT CAST(drawn % ${records} AS BIGINT) AS x, CAST(drawn // ${records} % ${records} AS BIGINT) AS y
          FROM (SELECT md5_number_lower('${seed}:' || draw) AS drawn FROM range(${limit}) AS draws(draw))) WHERE x <> y`;
}
