// How many limits of a scope are past, and how many end soon.

import { metricUrl, rowsByValue, rowsOf } from "./api.js";
import { figure, figures } from "./document.js";
import { addWords, count, t } from "./language.js";

addWords({
  zh: { past: "已超期", within: (n) => `${n} 日内到期` },
  en: { past: "Past", within: (n) => `Within ${n} days` },
});

// The numbers on a day: `past`, and `soon` for each number of days in `within`.
export async function limitsOn(day, within, more = {}) {
  const [[past], due] = await Promise.all([
    rowsOf(metricUrl("clocks_overdue", day, "all", more)),
    rowsByValue("clocks_due", day, "all", "within", within, more),
  ]);
  return { past: past?.value, within, soon: due.map(([row]) => row?.value) };
}

export function limitFigures({ past, within, soon }) {
  const ahead = soon.map((value, at) => figure(t().within(within[at]), count(value), at === 0 && value ? "warn" : ""));
  return figures(figure(t().past, count(past), past ? "bad" : ""), ahead);
}
