// How a goal stands, in a word, a colour and a shape.

import { element } from "./document.js";
import { addWords, t } from "./language.js";

export const STATUSES = ["off_course", "at_risk", "on_course", "met", "unknown"];

addWords({
  zh: { statuses: { off_course: "偏离", at_risk: "有风险", on_course: "正常", met: "已达成", unknown: "无法判断" } },
  en: {
    statuses: { off_course: "Off course", at_risk: "At risk", on_course: "On course", met: "Met", unknown: "Unknown" },
  },
});

const SHAPES = { off_course: "✕", at_risk: "▲", on_course: "●", met: "✓", unknown: "?" };

export const statusBadge = (status) =>
  element(
    "span",
    { class: `badge ${status}` },
    element("span", { "aria-hidden": "true" }, SHAPES[status] ?? "?"),
    ` ${t().statuses[status] ?? status}`,
  );
