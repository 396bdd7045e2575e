// Looks for attacks with vard, for comparison: vard.mjs INPUT.jsonl OUTPUT.jsonl FOLDER (where its package is installed)
//
// Reads {"id","text","channel"} lines, writes {"id","score","label"}: the severity of the worst thing it finds with everything
// switched on, and a threat's name where its default does not let the text through. Prints one JSON line of figures: processor
// seconds of starting and of the work (the default alone; whole passes over the lines until a second is over), messages, peak
// memory in MiB.
import fs from "node:fs";
import { pathToFileURL } from "node:url";

const processor = () => {
  const used = process.cpuUsage();
  return (used.user + used.system) / 1e6;
};

const [source, target, folder] = process.argv.slice(2);
const { default: vard } = await import(pathToFileURL(`${folder}/node_modules/@andersmyrmel/vard/dist/index.js`));
const guard = vard.moderate();
guard.safeParse("Where is my order?");
const started = processor();
const messages = fs.readFileSync(source, "utf8").trimEnd().split("\n").map((line) => JSON.parse(line));
const begin = processor();
let passes = 0;
let results;
while (passes === 0 || processor() - begin < 1) {
  results = messages.map((message) => guard.safeParse(message.text).safe);
  passes += 1;
}
const seconds = processor() - begin;
let all = vard.strict().threshold(0);
for (const threat of ["instructionOverride", "roleManipulation", "delimiterInjection", "systemPromptLeak", "encoding"]) {
  all = all.block(threat);
}
const worst = (text) => {
  const found = all.safeParse(text);
  return found.safe ? 0 : Math.max(...found.threats.map((threat) => threat.severity));
};
const lines = messages.map((message, n) =>
  JSON.stringify({ id: message.id, score: worst(message.text), label: results[n] ? "benign" : "prompt_injection" }));
fs.writeFileSync(target, `${lines.join("\n")}\n`);
console.log(JSON.stringify({
  start_seconds: started, seconds, messages: messages.length * passes, memory_mib: process.resourceUsage().maxRSS / 1024,
}));
