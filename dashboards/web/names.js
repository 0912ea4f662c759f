// The names of the dictionary, and which of them may stand at a place of a statement.

import { t, titleOf } from "./language.js";

const OPTIONS_MAX = 40;

const KEYWORDS = (
  "select from where group by order having limit offset join left inner on using as and or not in is null like ilike " +
  "between distinct case when then else end union all with asc desc nulls last first over partition rows exists cast interval date " +
  "timestamp true false explain analyze filter"
).split(" ");
const FUNCTIONS = (
  "count sum avg min max median approx_percentile_cont coalesce nullif round abs floor ceil date_trunc date_part extract " +
  "to_char now current_date lower upper trim length substr replace split_part strpos starts_with concat string_agg array_agg array_has " +
  "array_length unnest row_number rank lag lead generate_series try_cast"
).split(" ");

// Null until it is learnt.
export let names = null;
// Names without a schema are looked up in all but `metrics`.
export const pathOf = (schema, table) => (schema === "metrics" ? `metrics.${table}` : table);

export function learnNames({ schemas }) {
  const tables = schemas.flatMap(({ schema, tables }) =>
    tables.map((each) => ({ ...each, schema, path: pathOf(schema, each.table) })),
  );
  const byName = new Map();
  for (const each of tables) for (const name of [each.path, `${each.schema}.${each.table}`]) byName.set(name, each);
  names = { schemas, tables, byName };
}

const option = (kind, name, title, insert = name) => ({ kind, name, title, insert });
const columnOptions = (table) => table.columns.map((column) => option("column", column.column, titleOf(column)));
const tableOption = (table) => option(table.metric ? "metric" : "table", table.path, titleOf(table));
const metricOptions = () =>
  names.tables.filter(({ metric }) => metric).map((table) => option("metric", table.table, titleOf(table)));
const schemaOption = (schema) => option("schema", schema.schema, titleOf(schema), `${schema.schema}.`);

// What a query reads from, and its alias, which is looked at without being passed over: it may be the word before another table.
const NAMED = /(?:\b(?:from|join)\s+|,\s*)((?:\w+\.)?\w+)(?=(?:\s+(?:as\s+)?(\w+))?)/gi;
const MEASURED = /\bmetric\(\s*'(\w+)'[^)]*\)(?=(?:\s+(?:as\s+)?(\w+))?)/gi;
// A place right after FROM or JOIN, or after a comma in the list that FROM begins.
const AFTER_FROM =
  /(?:\b(?:from|join)\s+|\bfrom\s(?:(?!\b(?:where|group|order|having|limit|on)\b)[^;()])*,\s*)[\p{L}\p{N}_]*$/iu;

// The tables that a statement names, by what it calls them.
function tablesIn(sql) {
  const found = new Map(),
    add = (table, alias) => {
      if (!table) return;
      found.set(table.table, table);
      if (alias && !KEYWORDS.includes(alias.toLowerCase())) found.set(alias, table);
    };
  for (const [, name, alias] of sql.matchAll(NAMED)) add(names.byName.get(name), alias);
  for (const [, id, alias] of sql.matchAll(MEASURED)) add(names.byName.get(`metrics.${id}`), alias);
  return found;
}

const queriesIn = (sql) =>
  [...sql.matchAll(/(?:\bwith\s+|\)\s*,\s*)(\w+)\s+as\s*\(/gi)].map(([, name]) => option("query", name, ""));

// Texts and comments that end before the place are no matter; one that does not is where no name is meant.
const isWithinText = (before) => /'|--|\/\*/.test(before.replace(/'(?:[^']|'')*'|--[^\n]*\n|\/\*[\s\S]*?\*\//g, ""));

// What may stand at a place, the most fitting groups first.
export function offersAt(sql, caret) {
  const before = sql.slice(0, caret),
    [, qualifier, word] = before.match(/((?:\w+\.)*)([\p{L}\p{N}_]*)$/u);
  if (/\bmetric\(\s*'\w*$/i.test(before)) return { word, groups: [metricOptions()] };
  if (isWithinText(before)) return { word, groups: [] };
  const used = tablesIn(sql);
  if (qualifier) return { word, qualified: true, groups: membersOf(qualifier.slice(0, -1), used) };
  const metrics = names.tables.filter(({ schema }) => schema === "metrics").map(tableOption);
  const tables = [...queriesIn(sql), ...names.tables.filter(({ schema }) => schema !== "metrics").map(tableOption)];
  const others = [option("function", "metric", t().metricFunction, "metric('"), ...names.schemas.map(schemaOption)];
  if (AFTER_FROM.test(before)) return { word, groups: [tables, others, metrics] };
  const cased = /^[A-Z]+$/.test(word) ? (text) => text.toUpperCase() : (text) => text;
  const keywords = KEYWORDS.map((name) => option("keyword", cased(name), ""));
  const functions = FUNCTIONS.map((name) => option("function", cased(name), "", `${cased(name)}(`));
  // Before anything is chosen to read from, a column of any table may be meant.
  const columns = [...new Set(used.size ? used.values() : names.tables)].flatMap(columnOptions);
  return {
    word,
    groups: [used.size ? columns : [], keywords, functions, [...tables, ...others], metrics, used.size ? [] : columns],
  };
}

// The columns of what has a name in the statement, and the tables of a schema.
function membersOf(name, used) {
  const table = used.get(name) ?? names.byName.get(name),
    schema = names.schemas.find((each) => each.schema === name);
  return [
    table ? columnOptions(table) : [],
    schema ? schema.tables.map((each) => option("table", each.table, titleOf(each))) : [],
  ];
}

// How well a name fits what is written, from 0; by its title, too, so that it is found in one's own words.
function fit({ name, title }, word) {
  const lower = name.toLowerCase();
  if (lower.startsWith(word)) return 0;
  if (lower.includes(`_${word}`) || lower.includes(`.${word}`)) return 1;
  if (word.length < 2 && /^\w*$/.test(word)) return Infinity;
  if (lower.includes(word)) return 2;
  return title.toLowerCase().includes(word) ? 3 : Infinity;
}

export function bestOf(groups, word) {
  const seen = new Set(),
    found = [];
  for (const [group, options] of groups.entries())
    for (const each of options) {
      const rank = fit(each, word.toLowerCase());
      if (rank === Infinity || seen.has(each.name)) continue;
      seen.add(each.name);
      found.push({ ...each, order: rank * 10 + group });
    }
  return found.sort((a, b) => a.order - b.order).slice(0, OPTIONS_MAX);
}

// from: where the word begins; active: which option the arrows are on, -1 for none.
