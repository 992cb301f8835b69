// Checks an AsyncAPI document: node check.mjs asyncapi.yaml. Prints what is wrong with it and then ends with 1.
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import parser from "@asyncapi/parser";

const WARNING = 1; // as in the Language Server Protocol: 0 is an error, 2 and 3 are advice

const [, , file] = process.argv;
const { diagnostics } = await new parser.Parser().parse(readFileSync(file, "utf8"), { source: resolve(file) });
const problems = diagnostics.filter(({ severity }) => severity <= WARNING);
for (const { path, message } of problems) console.error(`${file}: ${path.join(".")}: ${message}`);
if (problems.length > 0) process.exitCode = 1;
else console.log(`${file}: OK`);
