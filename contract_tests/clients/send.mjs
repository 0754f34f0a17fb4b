// Requests by Node's own fetch, signed here, apart from the project's code: a line for each.
// stdin:  {"url", "method", "body" (base64), "provider", "credential"}
// stdout: {"status", "headers", "body" (base64), "target"}

import { Buffer } from "node:buffer";
import { createHash, createHmac, createPrivateKey, sign } from "node:crypto";
import process from "node:process";
import { createInterface } from "node:readline";

const SIGNERS = {
  cdp({ key_id, key_secret, key_type }, method, url) {
    const ed25519 = key_type === "Ed25519";
    const raw = Buffer.from(key_secret, "base64");
    const [d, x] = [raw.subarray(0, 32), raw.subarray(32)].map((b) => b.toString("base64url"));
    const key = createPrivateKey(
      ed25519 ? { key: { kty: "OKP", crv: "Ed25519", d, x }, format: "jwk" } : key_secret,
    );
    const now = Math.floor(Date.now() / 1000);
    const header = { alg: ed25519 ? "EdDSA" : "ES256", kid: key_id, typ: "JWT" };
    const claims = {
      sub: key_id,
      iss: "cdp",
      nbf: now,
      iat: now,
      exp: now + 120,
      uris: [`${method} ${url.host}${url.pathname}`],
    };
    const signed = [header, claims]
      .map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"))
      .join(".");
    const signature = sign(ed25519 ? null : "sha256", Buffer.from(signed), {
      key,
      dsaEncoding: "ieee-p1363",
    });
    return { Authorization: `Bearer ${signed}.${signature.toString("base64url")}` };
  },
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
  coinstats({ api_key }) {
    return { "X-API-KEY": api_key };
  },
  // CoinW signs in the query: `url` is changed before it is fetched.
  coinw({ api_key, secret_key }, method, url) {
    const given = new Map([...url.searchParams, ["api_key", api_key]]);
    given.delete("command");
    const signed = [...given].sort(([a], [b]) => (a < b ? -1 : 1));
    const message = [...signed, ["secret_key", secret_key]].map((pair) => pair.join("=")).join("&");
    const digest = createHash("md5").update(message).digest("hex").toUpperCase();
    url.search += `${url.search ? "&" : "?"}api_key=${api_key}&sign=${digest}`;
    return {};
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const order = JSON.parse(line);
  const url = new URL(order.url);
  const body = Buffer.from(order.body, "base64");
  const headers = SIGNERS[order.provider](order.credential, order.method, url, body);
  const answer = await fetch(url, {
    method: order.method,
    headers,
    body: body.length ? body : undefined,
  });
  const result = {
    status: answer.status,
    headers: Object.fromEntries(answer.headers),
    body: Buffer.from(await answer.arrayBuffer()).toString("base64"),
    target: url.pathname + url.search,
  };
  process.stdout.write(`${JSON.stringify(result)}\n`);
}
