// A client of the Crypto Payment Gateway for `mockserver certify`: `node cpg.mjs`, no packages.
import { createHash, createHmac } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";

const { MOCKSERVER_BASE_URL: base, MOCKSERVER_KEY_ID: key, MOCKSERVER_SECRET: secret } = process.env;
const limit = Number(process.env.MOCKSERVER_TIME_LIMIT_S) * 1000;
const deadline = Date.now() + limit * 0.8;
const currency = process.env.MOCKSERVER_FILTER_CURRENCY;
let last = 0; // the timestamp of the last signature: none is used twice

function signed(path, query) {
  last = Math.max(Math.floor(Date.now() / 1000), last + 1);
  const hash = createHash("sha256").update("").digest("hex");
  const canonical = [last, "GET", path, query, hash].join("\n");
  const signature = createHmac("sha256", secret).update(canonical).digest("hex");
  return { "X-CPG-Key": key, "X-CPG-Timestamp": String(last), "X-CPG-Signature": signature };
}

class Refused extends Error {
  constructor(message, wait) {
    super(message);
    this.wait = wait; // milliseconds before a retry, undefined if it does not help
  }
}

async function read(query) {
  const url = new URL(base + "/v1/balances");
  url.search = query;
  let response, text;
  try {
    const headers = signed(url.pathname.replace(/^\/~[^/]*/, ""), url.search.slice(1));
    const signal = AbortSignal.timeout(2000);
    response = await fetch(url, { headers, redirect: "manual", signal });
    text = new TextDecoder("utf-8", { fatal: true }).decode(await response.arrayBuffer());
  } catch (error) {
    throw new Refused(`the gateway cannot be read: ${error.cause?.code ?? error.name}`, 0);
  }
  if (response.status !== 200) throw refusal(response, text);
  let rows;
  try {
    rows = JSON.parse(text).data;
  } catch {
    throw new Refused("the answer is no JSON", 0);
  }
  if (!Array.isArray(rows)) throw new Refused("the answer has no rows");
  return rows.map(row);
}

function row({ currency, network, balance, held, available }) {
  const amounts = [balance, held, available];
  if (!currency || !network || amounts.some((a) => typeof a !== "string" || !/^\d+(\.\d+)?$/.test(a)))
    throw new Refused("a row is not as documented");
  return { asset: currency, network, total: balance, held, available };
}

function refusal(response, text) {
  const { status, headers } = response;
  let message = text.slice(0, 200);
  try {
    message = JSON.parse(text).message ?? message;
  } catch {
    // a proxy's page
  }
  const skew = Math.abs(Date.now() - Date.parse(headers.get("date"))) > 60_000;
  const about = `${status}: ${message}${skew ? " (this clock and the gateway's differ)" : ""}`;
  const again = status === 429 || status >= 500 || message.includes("already been used");
  return new Refused(about, again ? Number(headers.get("retry-after") ?? 0) * 1000 : undefined);
}

async function balances() {
  const query = currency ? new URLSearchParams({ currency }).toString() : "";
  for (let pause = 300; ; pause *= 2) {
    try {
      return await read(query);
    } catch (error) {
      if (!(error instanceof Refused) || error.wait === undefined) throw error;
      const wait = Math.max(error.wait, pause);
      if (pause > 2000 || Date.now() + wait > deadline) throw error;
      await sleep(wait);
    }
  }
}

try {
  process.stdout.write(JSON.stringify(await balances()));
} catch (error) {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
