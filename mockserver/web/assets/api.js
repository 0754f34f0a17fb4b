// Calls the control API. The token, where the server has one, stays in this tab's session storage.

import { dialog, field, h, toast } from "./dom.js";

export const ROOT = new URL(".", document.baseURI);
export const ADMIN = new URL("__admin/", ROOT);
const KEY = "mockserver-token";

export class CallError extends Error {
  constructor(status, body) {
    const at = /^\$\.([\w.-]+)$/.exec(body.at ?? "")?.[1];
    const error = body.error ?? `status ${status}`;
    const hint = body.hint ? `: ${body.hint}` : "";
    super(`${error}${at ? ` at ${at}` : ""}${hint}`);
    this.plain = `${error}${hint}`; // without the place, for the field itself
    this.status = status;
    this.body = body;
  }
}

export function authorization() {
  const token = sessionStorage.getItem(KEY);
  return token ? { Authorization: `Bearer ${token}` } : {};
}

let asking;
export function askToken() {
  asking ??= new Promise((resolve) => {
    const input = h("input", { type: "password", autocomplete: "off", required: true });
    const box = dialog("This server asks for its admin token", [
      h("p", {}, "It was set with MOCKSERVER_ADMIN_TOKEN when the server was started. It is kept for this tab only."),
      field("Admin token", input),
    ], [["Use token", () => { sessionStorage.setItem(KEY, input.value.trim()); resolve(true); }]]);
    box.addEventListener("close", () => { asking = undefined; resolve(false); });
    input.focus();
  });
  return asking;
}

export async function call(method, path, body, { quiet = false } = {}) {
  for (;;) {
    let answer;
    try {
      answer = await fetch(new URL(path.replace(/^\//, ""), ADMIN), {
        method,
        headers: { ...(method === "GET" || method === "DELETE" ? {} : { "Content-Type": "application/json" }), ...authorization() },
        body: body === undefined ? undefined : JSON.stringify(body),
        cache: "no-store",
        credentials: "omit",
      });
    } catch {
      throw new CallError(0, { error: "the server cannot be reached", hint: "is it still running?" });
    }
    if (answer.status === 401) {
      sessionStorage.removeItem(KEY);
      if (await askToken()) continue;
    }
    const text = await answer.text();
    let data = null;
    try {
      data = text ? JSON.parse(text) : null;
    } catch {
      data = { error: text.slice(0, 200) };
    }
    if (answer.ok) return data;
    const error = new CallError(answer.status, data ?? {});
    if (!quiet) console.debug(error.message);
    throw error;
  }
}

// Runs an action of the page; shows its mistake in one line.
export async function act(action, done) {
  try {
    const result = await action();
    if (done) toast(done, "good");
    return result;
  } catch (error) {
    toast(error.message, "error");
    return undefined;
  }
}

export const segment = encodeURIComponent;
