// One request by Node's own fetch, signed here, apart from the project's code.
// stdin:  {"url", "method", "body" (base64), "provider", "credential"}
// stdout: {"status", "headers", "body" (base64), "target"}

import { Buffer } from "node:buffer";
import { createHash, createHmac } from "node:crypto";
import process from "node:process";
import { json } from "node:stream/consumers";

const SIGNERS = {
  cpg({ key_id, secret }, method, url, body) {
    const timestamp = String(Math.floor(Date.now() / 1000));
    const digest = createHash("sha256").update(body).digest("hex");
    const message = [timestamp, method, url.pathname, url.search.slice(1), digest].join("\n");
    return {
      "X-CPG-Key": key_id,
      "X-CPG-Timestamp": timestamp,
      "X-CPG-Signature": createHmac("sha256", secret).update(message).digest("hex"),
    };
  },
  coinapi({ api_key }) {
    return { "X-CoinAPI-Key": api_key };
  },
};

const order = await json(process.stdin);
const url = new URL(order.url);
const body = Buffer.from(order.body, "base64");
const headers = SIGNERS[order.provider](order.credential, order.method, url, body);
const answer = await fetch(url, {
  method: order.method,
  headers,
  body: body.length ? body : undefined,
});
const told = {
  status: answer.status,
  headers: Object.fromEntries(answer.headers),
  body: Buffer.from(await answer.arrayBuffer()).toString("base64"),
  target: url.pathname + url.search,
};
process.stdout.write(JSON.stringify(told));
