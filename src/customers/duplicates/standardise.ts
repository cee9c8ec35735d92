import { PERSON_FIELDS, type PersonField } from "./fields.ts";

/** Words that stand for "nothing here", after `plainText`. */
const JUNK = "('null', 'none', 'unknown', 'undefined', 'nan', 'n a', 'not available', 'nil')";

const TITLES = "mr|mrs|ms|miss|mx|dr|prof|sir|herr|frau|dhr|mevr|mw|mme|mlle|monsieur|madame";
const SUFFIXES = "jr|sr|ii|iii|iv|phd|md";

const STREET_WORDS: readonly (readonly [string, string])[] = [
  ["street|str|strasse|straat", "st"],
  ["road", "rd"],
  ["avenue|av", "ave"],
  ["place|platz|plein", "pl"],
  ["drive", "dr"],
  ["crescent|cr", "cres"],
  ["court", "ct"],
  ["lane", "ln"],
  ["boulevard", "blvd"],
  ["square", "sq"],
];

/**
 * Statements that make the table `record` of the table `person` (`record_id` and the fields named): one
 * row per person, each field in the form in which it is compared, NULL where it says nothing, and how
 * many records hold the same value (`*_count`). Records are numbered by their content, so neither their
 * order nor their ids matter to anything that follows.
 */
export function standardiseSql(present: readonly PersonField[]): string[] {
  return [personTextSql(present), splitNamesSql(), recordSql()];
}

function personTextSql(present: readonly PersonField[]): string {
  const columns = PERSON_FIELDS.map((field) =>
    present.includes(field)
      ? `${withoutJunk(`CAST(${field} AS VARCHAR)`)} AS ${field}`
      : `CAST(NULL AS VARCHAR) AS ${field}`,
  );
  return `CREATE OR REPLACE TEMP TABLE person_text AS
    SELECT CAST(record_id AS VARCHAR) AS record_id, ${columns.join(", ")} FROM person`;
}

function withoutJunk(text: string): string {
  return `CASE WHEN ${plainText(text)} IN ${JUNK} THEN NULL ELSE nullif(trim(${text}), '') END`;
}

/** Lower case, without accents, every run of anything but letters and digits one space; NULL for nothing. */
function plainText(text: string): string {
  const folded = `translate(strip_accents(lower(${text})), 'øłđðþıŀ’', 'olddtil''')`;
  const spelt = `replace(replace(replace(${folded}, 'ß', 'ss'), 'æ', 'ae'), 'œ', 'oe')`;
  return `nullif(trim(regexp_replace(replace(${spelt}, '''', ''), '[^\\p{L}\\p{M}\\p{N}]+', ' ', 'g')), '')`;
}

function nameText(column: string): string {
  const untitled = `regexp_replace(${plainText(column)}, '^((${TITLES}) )+', '')`;
  return `nullif(trim(regexp_replace(${untitled}, '( (${SUFFIXES}))+$', '')), '')`;
}

/**
 * Names apart: where one of the two is missing and the other holds both, it is split; that it holds
 * both is known from the words' other uses. A family name repeated at the end of the given name goes.
 */
function splitNamesSql(): string {
  return `CREATE OR REPLACE TEMP TABLE person_name AS
    WITH name AS (
      SELECT record_id, ${nameText("given_name")} AS given, ${nameText("family_name")} AS family FROM person_text),
    spoken AS (
      SELECT word, sum(as_given) AS as_given, sum(as_family) AS as_family FROM (
        SELECT given AS word, 1 AS as_given, 0 AS as_family FROM name WHERE given IS NOT NULL AND family IS NOT NULL
        UNION ALL SELECT family, 0, 1 FROM name WHERE given IS NOT NULL AND family IS NOT NULL) GROUP BY word),
    has AS (SELECT count(family) = 0 AS no_family, count(given) = 0 AS no_given FROM name),
    parts AS (
      SELECT record_id, given, family, coalesce(given, family) AS whole,
             regexp_extract(coalesce(given, family), '^(\\S+) ', 1) AS first_word,
             regexp_extract(coalesce(given, family), ' (\\S+)$', 1) AS last_word
      FROM name),
    judged AS (
      SELECT parts.*,
             (given IS NULL) <> (family IS NULL) AND last_word <> ''
               AND (no_family OR no_given OR coalesce(l.as_family > l.as_given, false)
                    OR (family IS NOT NULL AND coalesce(f.as_given > f.as_family, false))) AS is_both
      FROM parts CROSS JOIN has
        LEFT JOIN spoken AS l ON l.word = last_word LEFT JOIN spoken AS f ON f.word = first_word)
    SELECT record_id,
           CASE WHEN is_both THEN first_word
                WHEN given LIKE '% ' || family THEN left(given, length(given) - length(family) - 1) ELSE given END AS given,
           CASE WHEN is_both THEN trim(substr(whole, length(first_word) + 1)) ELSE family END AS family
    FROM judged`;
}

function recordSql(): string {
  const counted = (columns: string): string =>
    `CASE WHEN coalesce(${columns}) IS NULL THEN 0 ELSE count(*) OVER (PARTITION BY ${columns}) END`;
  const content =
    "given_name, family_name, birth_date, street, postcode, city, email, phone, other_id, given_first";
  return `CREATE OR REPLACE TEMP TABLE record AS
    WITH date_order AS (
      SELECT count(*) FILTER (WHERE try_cast(p.b AS INTEGER) > 12) > count(*) FILTER (WHERE try_cast(p.a AS INTEGER) > 12) AS month_first
      FROM (SELECT ${dateParts("birth_date")} AS p FROM person_text) WHERE length(p.a) < 4),
    standard AS (
      SELECT person_text.record_id,
             replace(given, ' ', '') AS given_name, split_part(given, ' ', 1) AS given_first, replace(family, ' ', '') AS family_name,
             ${dateDigits("birth_date", "month_first")} AS birth_date,
             ${streetText("street")} AS street_text, ${codeText("postcode")} AS postcode,
             replace(${plainText("city")}, ' ', '') AS city, ${emailText("email")} AS email,
             ${phoneText("phone")} AS phone, ${codeText("other_id")} AS other_id
      FROM person_text JOIN person_name USING (record_id) CROSS JOIN date_order),
    shaped AS (
      SELECT * EXCLUDE (street_text), replace(street_text, ' ', '') AS street,
             nullif(regexp_extract(street_text, '\\d+'), '') AS house_number,
             nullif(replace(regexp_replace(street_text, '\\d+[a-z]?( |$)', '', 'g'), ' ', ''), '') AS street_name,
             split_part(email, '@', 1) AS email_local
      FROM standard)
    SELECT row_number() OVER (ORDER BY ${content}, record_id) - 1 AS number, *,
           ${["given_name", "family_name", "birth_date", "street", "postcode", "city", "email", "email_local", "phone", "other_id"].map((column) => `${counted(column)} AS ${column}_count`).join(", ")},
           CASE WHEN postcode IS NULL OR city IS NULL THEN 0 ELSE count(*) OVER (PARTITION BY postcode, city) END AS place_count
    FROM shaped ORDER BY number`;
}

function codeText(column: string): string {
  const whole = `regexp_replace(${column}, '\\.0$', '')`;
  return `nullif(ltrim(replace(${plainText(whole)}, ' ', ''), '0'), '')`;
}

function streetText(column: string): string {
  return STREET_WORDS.reduce(
    (text, [words, word]) => `regexp_replace(${text}, '\\b(${words})\\b', '${word}', 'g')`,
    plainText(column),
  );
}

/** Lower case; a tag after "+" goes, and the dots that Gmail ignores. NULL for what is no address. */
function emailText(column: string): string {
  const local = `regexp_replace(split_part(lower(trim(${column})), '@', 1), '\\+.*$', '')`;
  const domain = `split_part(lower(trim(${column})), '@', 2)`;
  return `CASE WHEN ${column} NOT LIKE '%_@_%' THEN NULL
               WHEN ${domain} IN ('gmail.com', 'googlemail.com') THEN replace(${local}, '.', '') || '@gmail.com'
               ELSE ${local} || '@' || ${domain} END`;
}

/** The last nine digits, which country code and trunk zero do not touch; NULL below six digits or all alike. */
function phoneText(column: string): string {
  const digits = `ltrim(regexp_replace(regexp_replace(${column}, '\\.0$', ''), '\\D', '', 'g'), '0')`;
  return `CASE WHEN length(${digits}) < 6 OR ltrim(${digits}, left(${digits}, 1)) = '' THEN NULL ELSE right(${digits}, 9) END`;
}

function dateParts(column: string): string {
  return `regexp_extract(${column}, '^(\\d{1,4})[^0-9A-Za-z]+(\\d{1,2})[^0-9A-Za-z]+(\\d{4}|\\d{1,2})($|[^0-9])', ['a', 'b', 'c'])`;
}

/**
 * A date as yyyymmdd. Where a column has more days than months in second place, its dates are read
 * month first. Eight digits that are no date are kept: one of them is mistyped.
 */
function dateDigits(column: string, monthFirst: string): string {
  const part = (name: string): string => `(${dateParts(column)}).${name}`;
  const two = (text: string): string => `lpad(${text}, 2, '0')`;
  const year = `CASE WHEN length(${part("c")}) = 4 THEN ${part("c")} WHEN ${part("c")} > '30' THEN '19' || ${two(part("c"))} ELSE '20' || ${two(part("c"))} END`;
  const isMonthFirst = `(TRY_CAST(${part("b")} AS INTEGER) > 12 OR (${monthFirst} AND TRY_CAST(${part("a")} AS INTEGER) <= 12))`;
  const digits = `regexp_replace(${column}, '\\.0$', '')`;
  const spoken = `try_strptime(regexp_replace(${plainText(column)}, '(\\d)(st|nd|rd|th)\\b', '\\1'), ['%d %B %Y', '%d %b %Y', '%B %d %Y', '%b %d %Y', '%Y %B %d', '%Y %b %d'])`;
  return `CASE
      WHEN regexp_matches(${digits}, '^(1[89]|20)\\d{6}$') THEN ${digits}
      WHEN regexp_matches(${digits}, '^\\d{4}(19|20)\\d{2}$') THEN right(${digits}, 4) || CASE WHEN ${monthFirst} THEN left(${digits}, 4) ELSE substr(${digits}, 3, 2) || left(${digits}, 2) END
      WHEN regexp_matches(${digits}, '^\\d{8}$') THEN ${digits}
      WHEN ${part("a")} = '' OR ${part("a")} IS NULL THEN strftime(${spoken}, '%Y%m%d')
      WHEN length(${part("a")}) = 4 THEN ${part("a")} || ${two(part("b"))} || ${two(part("c"))}
      WHEN length(${part("a")}) = 3 THEN NULL
      WHEN ${isMonthFirst} THEN ${year} || ${two(part("a"))} || ${two(part("b"))}
      ELSE ${year} || ${two(part("b"))} || ${two(part("a"))} END`;
}
