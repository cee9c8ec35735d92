import { quoted } from "../base/index.ts";
import { type CellOf, firstSql, timeSql } from "./field-sql.ts";
import type { Part } from "./mapping.ts";
import { columnsOf, type TimeField } from "./mapping-fields.ts";
import type { FileShape } from "./row-sql.ts";

/** What tells the times of a part's rows. */
interface Timed {
  readonly part: Part;
  readonly shape: FileShape;
  /** In epoch milliseconds. */
  readonly now: number;
}

/** A column whose instants are taken as they are: timestamps that are in UTC. */
function instantColumn({ part, shape }: Timed, spec: TimeField): string | undefined {
  const [name = "", ...others] = columnsOf(spec);
  const isTaken = spec.epoch === undefined && spec.format === undefined && spec.zone === "UTC";
  const isPlain = part.missing.length === 0 && others.length === 0 && part.groupBy === undefined;
  return isTaken && isPlain && shape.types.get(name) === "TIMESTAMP" ? quoted(name) : undefined;
}

/** When a row's event happened and became known: the text it was read from, and both in epoch milliseconds. */
export function timeColumns(stage: Timed, cell: CellOf): [string, string][] {
  const { part, now } = stage;
  const { knownAt, fields } = part;
  const at = (spec: TimeField): string => {
    const instants = instantColumn(stage, spec);
    return instants === undefined ? timeSql(spec, firstSql(spec, cell)) : `epoch_ms(${instants})`;
  };
  const occurredAt = typeof fields.occurredAt === "object" ? fields.occurredAt : undefined;
  const known =
    typeof knownAt === "object"
      ? at(knownAt)
      : knownAt === "occurredAt" && occurredAt !== undefined
        ? at(occurredAt)
        : `CAST(${now} AS BIGINT)`;
  return [
    [
      "occurred_text",
      occurredAt === undefined
        ? "''"
        : (instantColumn(stage, occurredAt) ?? firstSql(occurredAt, cell)),
    ],
    ["occurred_at_ms", occurredAt === undefined ? known : at(occurredAt)],
    ["known_at_ms", known],
  ];
}
