import assert from "node:assert/strict";
import { test } from "node:test";
import { balances } from "./portfolio.mjs";

const admin = `${process.env.MOCKSERVER_URL ?? "http://127.0.0.1:8490"}/__admin`;

async function call(method, path, body) {
  const headers = body ? { "content-type": "application/json" } : {};
  const response = await fetch(admin + path, { method, headers, body: body && JSON.stringify(body) });
  assert.ok(response.ok, await response.clone().text());
  return response.status === 204 ? undefined : response.json();
}

// Each test has an exchange of its own on the server that runs.
async function sandbox() {
  const { id, providers } = await call("POST", "/sandboxes", {});
  const { base_url: base, credentials } = providers.cpg;
  const read = () => balances(base, credentials.key_id, credentials.secret, { wait: async () => {} });
  return { id, read };
}

test("networks add up to the last digit", async () => {
  const { id, read } = await sandbox();
  const rows = [
    { asset: "USDT", venue: "ETH", decimals: 18, total: "0.000000000000000001" },
    { asset: "USDT", venue: "TRX", decimals: 6, total: "9007199254740993" },
  ];
  await call("PUT", `/sandboxes/${id}/ledger/cpg/main`, { balances: rows });
  assert.deepEqual(await read(), { USDT: "9007199254740993.000000000000000001" });
});

test("two rate limits are waited out", async () => {
  const { id, read } = await sandbox();
  await call("POST", `/sandboxes/${id}/faults`, {
    match: { provider: "cpg" }, when: { requests: "1-2" }, answer: { reject: "rate_limited" },
  });
  await read();
  await call("POST", `/sandboxes/${id}/requests/verify`, { match: { reason: "rate_limited" }, exactly: 2 });
});

test("a revoked key is an error, and is not tried again", async () => {
  const { id, read } = await sandbox();
  await call("POST", `/sandboxes/${id}/events/cpg`, { event: "key_revoked", key: "main" });
  await assert.rejects(read, /^Error: 401/);
  await call("POST", `/sandboxes/${id}/requests/verify`, { match: { provider: "cpg" }, exactly: 1 });
});
