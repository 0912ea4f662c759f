// Writes a TypeScript file in which each dashboard has Grafana's type: `node types.mjs SCHEMA OUT FILE…`.
import { readFileSync, writeFileSync } from "node:fs";

const [schema, out, ...files] = process.argv.slice(2);
// Enumerations take no texts: those of theirs that a dashboard holds are named, any other is an error of the type.
const names = {
  '"mode": "absolute"': '"mode": ThresholdsMode.Absolute',
  '"mode": "thresholds"': '"mode": FieldColorModeId.Thresholds',
  '"mode": "palette-classic"': '"mode": FieldColorModeId.PaletteClassic',
};
let text = `import { type Dashboard, FieldColorModeId, ThresholdsMode } from '${schema}';\n`;
files.forEach((file, place) => {
  let model = readFileSync(file, "utf8");
  for (const [from, to] of Object.entries(names)) model = model.replaceAll(from, to);
  text += `export const board${place}: Dashboard = ${model};\n`;
});
writeFileSync(out, text);
