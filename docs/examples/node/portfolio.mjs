// A portfolio tracker with fetch: the total of each currency, to the last digit.
import { createHash, createHmac } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";

let last = 0; // no two requests have the same timestamp

function signed(key, secret, path) {
  last = Math.max(Math.floor(Date.now() / 1000), last + 1);
  const text = [last, "GET", path, "", createHash("sha256").digest("hex")].join("\n");
  const signature = createHmac("sha256", secret).update(text).digest("hex");
  return { "X-CPG-Key": key, "X-CPG-Timestamp": String(last), "X-CPG-Signature": signature };
}

export async function balances(base, key, secret, { retries = 3, wait = sleep } = {}) {
  for (let attempt = 0; ; attempt++) {
    const headers = signed(key, secret, "/v1/balances");
    const response = await fetch(`${base}/v1/balances`, { headers, signal: AbortSignal.timeout(10_000) });
    if (response.ok) return totals((await response.json()).data);
    if (response.status !== 429 || attempt === retries) throw new Error(`${response.status}: ${await response.text()}`);
    await wait(1000 * Number(response.headers.get("retry-after") ?? 2 ** attempt));
  }
}

const PLACES = 40; // decimals of the sum: amounts are whole numbers of 10^-40

function totals(rows) {
  const sums = {};
  for (const { currency, balance } of rows) {
    const [whole, fraction = ""] = balance.split(".");
    sums[currency] = (sums[currency] ?? 0n) + BigInt(whole + fraction.padEnd(PLACES, "0"));
  }
  return Object.fromEntries(Object.entries(sums).map(([currency, sum]) => [currency, text(sum)]));
}

function text(sum) {
  const digits = String(sum).padStart(PLACES + 1, "0");
  return `${digits.slice(0, -PLACES)}.${digits.slice(-PLACES)}`.replace(/\.?0+$/, "");
}

if (process.argv[1] === import.meta.filename) {
  const { CPG_BASE_URL, CPG_KEY_ID, CPG_SECRET } = process.env;
  console.table(await balances(CPG_BASE_URL, CPG_KEY_ID, CPG_SECRET));
}
