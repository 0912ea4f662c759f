// The bureau's report, read on screen: a choice of the edition, the table of contents beside the text, files to take away, paper.

import { isUnit, send } from "./api.js";
import { addDays, addMonths, monthOf, monthsOf, yearPeriod } from "./days.js";
import { $, element, load } from "./document.js";
import { isZh, monthName, periodName, scopeName, t } from "./language.js";
import { go, pick, start } from "./page.js";
import { page } from "./state.js";

const words = {
  zh: {
    heading: (what) => `${what}行政执法工作情况报告`,
    edition: "报告版本",
    reportText: "报告正文",
    wholeYear: "全年",
    wholeDistrict: "全区",
    contents: "目录",
    download: "下载",
    print: "打印",
    sub: "由平台记录汇编；点击文中数字可查看其定义、来源和复现方法。",
    asFile: (kind) => `下载报告的 ${kind} 文件`,
    scrolls: "可横向滚动",
    drafting: "正在汇编报告，请稍候…",
    everyMonth: "月报",
    everyUnit: "单位",
  },
  en: {
    heading: (what) => `Report · ${what}`,
    edition: "Edition",
    reportText: "The report",
    wholeYear: "Whole year",
    wholeDistrict: "Whole district",
    contents: "Contents",
    download: "Download",
    print: "Print",
    sub: "Drafted from the platform’s records, in Chinese, as the bureau issues it. Each number leads to its definition, its source and how to get it again.",
    asFile: (kind) => `Download the report as ${kind}`,
    scrolls: "scrolls sideways",
    drafting: "The report is being drafted …",
    everyMonth: "Month",
    everyUnit: "Unit",
  },
};

// ---- Which edition. ----

function edition() {
  const { year, month, unit } = page.own;
  // The year that was looked at on the other pages.
  return { year: year || addDays(page.period.to, -1).slice(0, 4), month: unit ? "" : month, unit };
}

function reportUrl(format) {
  const { year, month, unit } = edition(),
    query = new URLSearchParams({ format });
  if (month) query.set("month", month);
  if (unit) query.set("unit", unit);
  return `/api/v1/reports/${encodeURIComponent(year)}?${query}`;
}

const monthDay = ({ year, month }) => `${year}-${month.padStart(2, "0")}-01`;

function editionName() {
  const chosen = edition(),
    { year, month, unit } = chosen;
  // A year or a month that an address makes up is told as it is.
  const isKnown = /^\d{4}$/.test(year) && (!month || /^([1-9]|1[0-2])$/.test(month));
  const time = !isKnown ? `${year} ${month}` : month ? monthName(monthDay(chosen)) : periodName(yearPeriod(year));
  return unit ? `${scopeName(unit)}${isZh() ? "" : ", "}${time}` : time;
}

// The months of a year that there are data about.
function monthEntries(year) {
  const { first, last } = page.bounds;
  const months = monthsOf({ from: monthOf(first), to: addMonths(last, 1) }).filter((month) => month.startsWith(year));
  return months.map((month) => [String(Number(month.slice(5, 7))), monthName(month)]);
}

function yearEntries() {
  const { first, last } = page.bounds,
    from = Number(first.slice(0, 4)),
    to = Number(last.slice(0, 4));
  return Array.from({ length: to - from + 1 }, (_, at) => String(to - at)).map((year) => [
    year,
    periodName(yearPeriod(year)),
  ]);
}

function drawEdition() {
  const { year, month, unit } = edition(),
    focused = document.activeElement?.id;
  const units = page.scopes.filter(isUnit).map(({ scope }) => [scope, scopeName(scope)]);
  const name = `lawpulse-report-${[year, month, unit].filter(Boolean).join("-")}`;
  const file = (kind, format, ending) =>
    element(
      "a",
      {
        href: reportUrl(format),
        download: `${name}.${ending}`,
        id: `report-${format}`,
        "aria-label": t().asFile(kind),
      },
      kind,
    );
  $("edition").replaceChildren(
    pick("report-year", t().year, yearEntries(), year, (value) => go({ own: { year: value } })),
    // A report is about a month or about a unit.
    pick("report-month", t().everyMonth, [["", t().wholeYear], ...monthEntries(year)], month, (value) =>
      go({ own: { month: value, unit: "" } }),
    ),
    pick("report-unit", t().everyUnit, [["", t().wholeDistrict], ...units], unit, (value) =>
      go({ own: { unit: value, month: "" } }),
    ),
    element(
      "p",
      { class: "files" },
      element("span", {}, t().download),
      " ",
      file("HTML", "html", "html"),
      " ",
      file("Markdown", "markdown", "md"),
    ),
    element("button", { type: "button", id: "report-print", click: () => window.print() }, t().print),
    $("report-said") ?? element("p", { id: "report-said", class: "said", role: "status" }),
  );
  if (focused) $(focused)?.focus();
}

// ---- The text. ----

// The report is a page of its own, with its own style: its text moves into ours, and nothing that would act or restyle.
function adopt(text) {
  const parsed = new DOMParser().parseFromString(text, "text/html");
  for (const foreign of parsed.querySelectorAll("script, style, link, iframe, object, embed, form")) foreign.remove();
  const article = element("article", { class: "report", lang: "zh-CN" }),
    main = parsed.querySelector("main") ?? parsed.body;
  article.append(...[...main.childNodes].map((node) => document.importNode(node, true)));
  // Its first heading stands below the page's.
  for (const heading of article.querySelectorAll("h1, h2, h3, h4"))
    heading.setAttribute("aria-level", Number(heading.localName.slice(1)) + 1);
  for (const wide of article.querySelectorAll(".table, pre")) makeScrollable(wide);
  const contents = parsed.querySelector("nav ol");
  return { article, contents: contents && document.importNode(contents, true) };
}

// What is wider than a phone scrolls by itself, and the keyboard must be able to reach it.
function makeScrollable(part) {
  const names = [...part.querySelectorAll("th")]
    .slice(0, 3)
    .map((cell) => cell.textContent)
    .join("、");
  const attributes = { tabindex: "0", role: "group", "aria-label": `${names || "SQL"}（${t().scrolls}）` };
  for (const [name, value] of Object.entries(attributes)) part.setAttribute(name, value);
}

// Where the address points, which is there only now.
function arrive() {
  if (location.hash.length > 1) location.replace(location.hash);
}

async function fetchReport(signal) {
  try {
    return await (await send(reportUrl("html"), { headers: { accept: "text/html" }, signal })).text();
  } catch (error) {
    // The contents of another report would lead nowhere.
    if (!signal.aborted) $("contents").hidden = true;
    throw error;
  }
}

let isFirst = true;
function drawReport() {
  const part = $("report"),
    { signal } = page.abort,
    say = (text) => {
      if (!signal.aborted) $("report-said").textContent = text;
    };
  return load(part, async () => {
    say(t().drafting);
    const draft = await fetchReport(signal).finally(() => say(""));
    return (body) => {
      const { article, contents } = adopt(draft);
      body.replaceChildren(article);
      $("contents").hidden = !contents;
      $("contents-list").replaceChildren(contents ?? "");
      if (isFirst) arrive();
      isFirst = false;
    };
  });
}

// ---- The page. ----

start({
  id: "report",
  words,
  own: { year: "", month: "", unit: "" },
  // Whoever reads it is not thrown back to its beginning when something lands.
  stays: true,
  heading: () => ({ heading: t().heading(editionName()), sub: t().sub }),
  layout(content) {
    const form = element("form", {
      id: "edition",
      class: "choices",
      "aria-label": t().edition,
      submit: (event) => event.preventDefault(),
    });
    const wide = matchMedia("(min-width: 1000px)").matches;
    const contents = element(
      "details",
      { open: wide },
      element("summary", {}, t().contents),
      element("div", { id: "contents-list", lang: "zh-CN" }),
    );
    content.replaceChildren(
      form,
      element(
        "div",
        { class: "reader" },
        element(
          "div",
          { id: "contents", class: "card", role: "navigation", "aria-label": t().contents, hidden: true },
          contents,
        ),
        element("section", { id: "report", "aria-label": t().reportText }, element("div", { class: "body" })),
      ),
    );
  },
  draw() {
    drawEdition();
    return [drawReport()];
  },
});
