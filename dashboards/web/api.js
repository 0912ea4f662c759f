// The JSON API, and what is said when it refuses.

import { isZh, t } from "./language.js";
import { page } from "./state.js";

export class ApiError extends Error {
  constructor(status, problem) {
    super(problem.detail || problem.title || `HTTP ${status}`);
    Object.assign(this, { status, problem });
  }
}

export async function send(url, options = {}) {
  let response;
  try {
    response = await fetch(url, { headers: { accept: "application/json" }, ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, { detail: String(error) });
  }
  if (!response.ok) throw new ApiError(response.status, (await response.json().catch(() => null)) ?? {});
  return response;
}

export async function getJson(url, signal = page.abort.signal) {
  const body = await (await send(url, { signal })).json().catch((error) => {
    if (error.name === "AbortError") throw error;
    return null;
  });
  if (body === null) throw new ApiError(502, { detail: "the answer is not JSON" });
  return body;
}

// One statement through the door to SQL, answered in the form that `accept` names.
export function askFor(accept, sql, { parameters = [], signal = page.abort.signal } = {}) {
  const headers = { accept, "content-type": "application/json" };
  return send("/api/v1/sql", { method: "POST", headers, body: JSON.stringify({ sql, parameters }), signal });
}

// The same, the rows as objects.
export const ask = async (sql, parameters = []) =>
  (await (await askFor("application/json", sql, { parameters })).json()).rows;

export function explain(error) {
  if (!(error instanceof ApiError)) return t().failed(error.message);
  if (error.status === 0) return t().unreachable;
  if (error.status === 401 || error.status === 403) return t().forbidden;
  return error.status < 500 ? t().refused(error.message) : t().failed(error.message);
}

const readable = (query) =>
  query.toString().replaceAll("%3A", ":").replaceAll("%2F", "/").replaceAll("%2C", ",").replaceAll("*", "*");

export function metricUrl(id, { from, to }, grain, more = {}, of = "") {
  return `/api/v1/metrics/${id}${of}?${readable(new URLSearchParams({ from, to, grain, scope: page.scope, ...more }))}`;
}

export const rowsOf = async (url) => (await getJson(url)).rows ?? [];

// Several values of a parameter at once, which the server computes in one go: the rows by value.
export async function rowsByValue(id, period, grain, name, values, more = {}) {
  const rows = await rowsOf(metricUrl(id, period, grain, { ...more, [name]: values.join(",") }));
  return values.map((value) => rows.filter((row) => values.length === 1 || row.parameters?.[name] === value));
}

const known = (scope) => page.scopes.find((each) => each.scope === scope);

// From below; a tree of units has one of them at its top.
const LEVELS = ["district", "municipality", "province", "country"];
const PLURALS = ["districts", "municipalities", "provinces"];
const levelOf = (scope) => LEVELS.indexOf(known(scope)?.org_kind || known(scope)?.kind || "");

// What a scope is compared by, asked for at once: its districts if it has several, else its units; of a unit those beside it.
export function membersOf(scope) {
  const level = levelOf(scope),
    { kind, under } = known(scope) ?? {};
  // A district that is nobody's part holds all units of its lake, whatever it is called.
  if (level > 0) return kind === "org" ? `${scope}/${PLURALS[level - 1]}/*` : `${PLURALS[level - 1]}/*`;
  if (level === 0 || ["kind", "area"].includes(kind))
    return kind === "org" && !under ? `${page.whole}/*` : `${scope}/*`;
  if (under && known(under)) return `${under}/*`;
  if (page.scopes.length === 0 || LEVELS.includes(known(page.whole)?.kind)) return `${page.whole}/*`;
  return page.scopes
    .filter(isUnit)
    .map((each) => each.scope)
    .join(",");
}

export const isUnit = ({ kind }) => kind === "org";

// A unit that others belong to, such as a district, stands for them all and is not one among them; districts are, among
// themselves.
export const isLevel = (scope) => LEVELS.includes(known(scope)?.org_kind);
// Where more of a scope is: the units of a district, or the one unit.
export const pageOf = (scope) => (isLevel(scope) ? "units" : "unit");
export async function unitsOf(url) {
  const rows = await rowsOf(url),
    units = rows.filter((row) => !isLevel(row.scope));
  return units.length ? units : rows;
}
export const unitNameOf = (row) =>
  (!isZh() && page.scopes.find((each) => each.scope === row.scope)?.name_en) || row.scope_name || row.scope;
