// Lints documents with the recommended rules of redocly; prints a line of JSON for each problem.
import { createConfig, lint } from "@redocly/openapi-core";

const config = await createConfig({ extends: ["recommended"] });
for (const ref of process.argv.slice(2)) {
  for (const problem of await lint({ ref, config })) {
    const at = problem.location[0]?.pointer ?? "";
    console.log(JSON.stringify([ref.replace(".json", ""), problem.ruleId, at, problem.message]));
  }
}
