// Uses the types that openapi-typescript makes of the six documents, against a running server.
import createClient, { type Middleware } from "openapi-fetch";
import type { paths as CdpPaths } from "./cdp.js";
import type { paths as CoinapiPaths } from "./coinapi.js";
import type { paths as CoinstatsPaths } from "./coinstats.js";
import type { paths as CoinwPaths } from "./coinw.js";
import type { components, paths as ControlPaths } from "./control.js";
import type { paths as CpgPaths } from "./cpg.js";

declare const process: { env: Record<string, string | undefined> };

const control = createClient<ControlPaths>({ baseUrl: `${process.env.GATEWAY}/__admin` });

function required<T>(value: T | undefined, error: unknown): T {
  if (value === undefined) throw new Error(JSON.stringify(error));
  return value;
}

const made = await control.POST("/sandboxes", { body: { ttl: "5m" } });
const sandbox: components["schemas"]["Sandbox"] = required(made.data, made.error);
const params = { path: { id: sandbox.id } };

// The server signs each request, as a client with the provider's own scheme would.
function signing(provider: string): Middleware {
  return {
    async onRequest({ request }) {
      const base = new URL(required(sandbox.providers[provider], provider).base_url);
      const url = new URL(request.url);
      const body = {
        provider,
        method: request.method,
        path: url.pathname.slice(base.pathname.replace(/\/$/, "").length),
        query: url.search.slice(1),
        body: await request.text(),
        as: "request" as const,
        to: "port" as const,
      };
      const { data, error } = await control.POST("/sandboxes/{id}/sign", { params, body });
      const signed = required(required(data, error).request, data);
      const sent = { method: signed.method, headers: signed.headers };
      return new Request(signed.url, signed.body ? { ...sent, body: signed.body } : sent);
    },
  };
}

function client<Paths extends {}>(provider: string) {
  const { base_url: baseUrl } = required(sandbox.providers[provider], provider);
  const made = createClient<Paths>({ baseUrl });
  made.use(signing(provider));
  return made;
}

const found: Record<string, unknown> = {};

const accounts = await client<CdpPaths>("cdp").GET("/v2/accounts");
found["cdp"] = required(accounts.data, accounts.error).accounts?.[0]?.accountId;

const balances = await client<CoinapiPaths>("coinapi").GET("/v1/balances");
found["coinapi"] = required(balances.data, balances.error)[0]?.exchange_id;

const exchanges = await client<CoinstatsPaths>("coinstats").GET("/v1/exchange/support");
found["coinstats"] = required(exchanges.data, exchanges.error)[0]?.connectionId;

const holdings = await client<CoinwPaths>("coinw").POST("/api/v1/private?command=returnBalances", {
  body: {},
});
found["coinw"] = required(holdings.data, holdings.error).code;

const rows = await client<CpgPaths>("cpg").GET("/v1/balances");
found["cpg"] = required(rows.data, rows.error).success;

const event: components["schemas"]["Event"] = { event: "key_revoked", key: "main" };
const inCpg = { path: { id: sandbox.id, provider: "cpg" } };
const applied = await control.POST("/sandboxes/{id}/events/{provider}", {
  params: inCpg,
  body: event,
});
found["event"] = required(applied.data, applied.error).event;

const verified = await control.POST("/sandboxes/{id}/requests/verify", {
  params,
  body: { match: { status: 200 }, exactly: 5 },
});
found["count"] = required(verified.data, verified.error).count;

const dropped = await control.DELETE("/sandboxes/{id}", { params });
found["deleted"] = dropped.response.status;
console.log(JSON.stringify(found));
