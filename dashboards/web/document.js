// The parts that every page is put together from.

import { explain } from "./api.js";
import { addDays } from "./days.js";
import { definitionOf, metricOf, range, sourceOf, t, title } from "./language.js";
import { page } from "./state.js";

export const $ = (id) => document.getElementById(id);

// element("p", {class: "x"}, "text", child): attributes by name, functions as listeners, children as nodes or text.
export function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") node.addEventListener(name, value);
    else if (value !== null && value !== undefined && value !== false)
      node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

export const jsonLink = (url, name, label = "JSON") =>
  element("a", { class: "json", href: url, "aria-label": `${label} · ${name}`, title: t().jsonOf(name) }, label);

// A metric's name, which leads to what it means.
export const defined = (id, text = title(id)) => (metricOf(id) ? element("a", { href: `#def-${id}` }, text) : text);

// A number with its name, to stand among others in a `dl.figures`; `kind` colours it.
export const figure = (name, text, kind = "") =>
  element("div", { class: kind }, element("dt", {}, name), element("dd", {}, text));
export const figures = (...each) => element("dl", { class: "figures" }, each.flat());

// ---- States. ----

export function state(kind, message, retry) {
  const body = element("div", { class: `state ${kind}` }, element("p", {}, message));
  if (kind === "loading")
    body.replaceChildren(element("div", { class: "bone" }), element("p", { class: "unseen" }, message));
  if (retry) body.append(element("button", { type: "button", click: retry }, t().retry));
  return body;
}

export const empty = ({ from, to }) => {
  const { bounds } = page;
  return state(
    "empty",
    t().noDataWhy(range(from, to), bounds?.known ? range(bounds.first, addDays(bounds.last, 1)) : ""),
  );
};

// Loads one part of the page. The old content stays, dimmed, until the new one or its error is there.
export async function load(part, job) {
  const { signal } = page.abort;
  const retry = () => load(part, job);
  const body = part.querySelector(":scope > .body");
  part.setAttribute("aria-busy", "true");
  if (!body.hasChildNodes() || body.querySelector(".state")) body.replaceChildren(state("loading", t().loading));
  try {
    const draw = await job();
    if (signal.aborted) return;
    draw(body, retry);
  } catch (error) {
    if (signal.aborted) return;
    body.replaceChildren(state("error", explain(error), retry));
  }
  part.setAttribute("aria-busy", "false");
}

// A card with its heading; what it held stays until it is drawn anew.
export function card(id, heading, sub = "", links = []) {
  const part = $(id),
    body = part.querySelector(":scope > .body") ?? element("div", { class: "body" });
  part.classList.add("card");
  part.setAttribute("aria-labelledby", `${id}-heading`);
  part.replaceChildren(
    element(
      "header",
      {},
      element("h2", { id: `${id}-heading` }, heading),
      element("span", { class: "sub" }, sub),
      element("div", { class: "links" }, ...links),
    ),
    body,
  );
  return part;
}

// ---- Tables. ----

// A wide table scrolls in a region of its own, which the keyboard must be able to reach.
export const scrolling = (name, table) =>
  element("div", { class: "scroll", role: "region", "aria-label": `${name} · ${t().table}`, tabindex: "0" }, table);

// Columns are texts, or {text, class}; cells are texts or nodes, or {cell, class, sort}. The first cell of a row names it.
export function table(caption, columns, rows, { classes = "", hide = false } = {}) {
  const head = columns.map((column) =>
    column instanceof Node ? column : element("th", { scope: "col", class: column.class }, column.text ?? column),
  );
  const lines = rows.map(({ cells, ...attributes }) => element("tr", attributes, cells.map(cellOf)));
  return element(
    "table",
    { class: classes },
    element("caption", { class: hide ? "unseen" : null }, caption),
    element("thead", {}, element("tr", {}, head)),
    element("tbody", {}, lines),
  );
}

function cellOf(cell, at) {
  const {
    cell: content,
    class: kind,
    title: hint,
  } = cell !== null && typeof cell === "object" && !(cell instanceof Node) ? cell : { cell };
  return element(at === 0 ? "th" : "td", { scope: at === 0 ? "row" : null, class: kind, title: hint }, content);
}

// A share of one as a bar; below the line in another colour. The number stands beside it.
export function bar(value, line) {
  const inner = element("i", { class: value !== null && line !== undefined && value < line ? "low" : "" });
  inner.style.width = `${Math.round(Math.min(1, value ?? 0) * 1000) / 10}%`;
  return element("span", { class: "track", "aria-hidden": "true" }, inner);
}

// Saves text as a file. Excel takes a CSV for UTF-8 by its mark only.
export function save(name, content, kind = "text/csv;charset=utf-8") {
  const parts = kind.startsWith("text/csv") ? ["\uFEFF", content] : [content];
  const link = element("a", { href: URL.createObjectURL(new Blob(parts, { type: kind })), download: name });
  document.body.append(link);
  link.click();
  link.remove();
  URL.revokeObjectURL(link.href);
}

// Rows of objects as CSV; a text that a spreadsheet would take for a formula is not one.
export function csv(columns, rows) {
  const quoted = (value) => {
    if (value === null || value === undefined) return "";
    const text = typeof value === "object" ? JSON.stringify(value) : String(value);
    const inert = typeof value === "string" && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
    return /[",\r\n]/.test(inert) ? `"${inert.replaceAll('"', '""')}"` : inert;
  };
  return (
    [columns, ...rows.map((row) => columns.map((column) => row[column]))]
      .map((line) => line.map(quoted).join(","))
      .join("\r\n") + "\r\n"
  );
}

export const csvButton = (name, make) =>
  element("button", { type: "button", class: "plain", "aria-label": t().downloadOf(name), click: () => make() }, "CSV");

// ---- Definitions. ----

// What the metrics of the page mean, in a list that their names lead to.
export function drawDefinitions(ids) {
  const shown = [...new Set(ids)].filter(metricOf);
  $("definitions").hidden = !shown.length;
  $("definition-list").replaceChildren(
    ...shown.map((id) => {
      const metric = metricOf(id);
      return element(
        "div",
        { id: `def-${id}` },
        element("dt", {}, title(id)),
        element("dd", {}, `${definitionOf(metric)} ${t().source}${sourceOf(metric)}`),
      );
    }),
  );
}
