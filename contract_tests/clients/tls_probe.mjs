// Node's fetch: it trusts what NODE_EXTRA_CA_CERTS names. Reads and writes as tls_probe.py does.
import { readFileSync } from "node:fs";

const outcome = async ({ url, headers }) => {
  try {
    const answer = await fetch(url, { headers, signal: AbortSignal.timeout(30_000) });
    return { status: answer.status, body: Buffer.from(await answer.arrayBuffer()).toString("latin1") };
  } catch (error) {
    const cause = error.cause ?? error;
    return { error: `${cause.code ?? cause.name}: ${cause.message}` };
  }
};

const order = JSON.parse(readFileSync(0, "utf8"));
console.log(JSON.stringify({ node: await Promise.all(order.requests.map(outcome)) }));
