// One stream for all tabs of a browser: the tab that holds the lock reads it, and tells the others.
//
// Six connections per host are all there are, so tabs share. The stream is read by fetch, which can
// send the token. After a loss it goes on behind the last row that was seen.

import { ADMIN, askToken, authorization } from "./api.js";

const NAME = "mockserver-feed";
const RETRY_MIN = 500;
const RETRY_MAX = 5000;
const SILENCE_MAX = 40000; // the server sends at least a comment every 15 seconds

export class Feed {
  constructor(onEvent, onState) {
    this.onEvent = onEvent;
    this.onState = onState;
    this.tab = Math.random().toString(36).slice(2);
    this.place = null; // what this tab follows: {sandbox, epoch, n}
    this.wants = new Map(); // tab -> place; used by the tab that reads
    this.leading = false;
    this.channel = "BroadcastChannel" in window ? new BroadcastChannel(NAME) : null;
    if (this.channel) this.channel.onmessage = ({ data }) => this.hear(data);
    addEventListener("pagehide", () => {
      this.left = true;
      this.say({ type: "bye", tab: this.tab });
      this.abort?.abort("left");
    });
    addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
  }

  start() {
    if (!navigator.locks || !this.channel) return this.lead();
    navigator.locks.request(`${NAME}-tab-${this.tab}`, () => new Promise(() => {}));
    navigator.locks.request(NAME, () => { this.lead(); return new Promise(() => {}); });
    return undefined;
  }

  follow(sandbox, epoch = "", n = 0) {
    this.place = { sandbox, epoch, n };
    this.want(this.tab, this.place);
    this.say({ type: "want", tab: this.tab, place: this.place });
  }

  say(message) {
    this.channel?.postMessage(message);
  }

  hear(message) {
    if (message.type === "who" && this.place) this.say({ type: "want", tab: this.tab, place: this.place });
    if (message.type === "event" && !this.leading) this.deliver(message.name, message.data);
    if (message.type === "state" && !this.leading) this.onState(message.state);
    if (!this.leading) return;
    if (message.type === "want") this.want(message.tab, message.place);
    if (message.type === "bye") this.wants.delete(message.tab);
  }

  deliver(name, data) {
    if (data.sandbox && data.sandbox !== this.place?.sandbox) return;
    if (name === "begin") this.place = { sandbox: data.sandbox, epoch: data.epoch, n: data.after };
    if (name === "rows") this.place.n = Math.max(this.place.n, data.rows.at(-1)?.n ?? 0);
    this.onEvent(name, data);
  }

  // The rest is done by the tab that reads.

  lead() {
    this.leading = true;
    if (this.place) this.want(this.tab, this.place);
    this.say({ type: "who" });
    this.run();
    setInterval(() => this.prune(), 15000);
  }

  async prune() {
    if (!navigator.locks) return;
    const { held } = await navigator.locks.query();
    const alive = new Set(held.map((lock) => lock.name));
    for (const tab of this.wants.keys()) if (!alive.has(`${NAME}-tab-${tab}`)) this.wants.delete(tab);
  }

  want(tab, place) {
    if (!this.leading) return;
    const known = this.wants.get(tab);
    this.wants.set(tab, { ...place });
    if (!known || known.sandbox !== place.sandbox) this.abort?.abort("another place");
  }

  // The places to follow: for each sandbox the earliest that a tab still needs.
  places() {
    const places = new Map();
    for (const place of this.wants.values()) {
      const other = places.get(place.sandbox);
      if (!other) places.set(place.sandbox, { ...place });
      else if (other.epoch !== place.epoch) places.set(place.sandbox, { sandbox: place.sandbox, epoch: "", n: 0 });
      else other.n = Math.min(other.n, place.n);
    }
    return [...places.values()].slice(0, 16);
  }

  async run() {
    let wait = RETRY_MIN;
    while (!this.left) {
      const places = this.places();
      if (!places.length) {
        await sleep(100);
        continue;
      }
      this.abort = new AbortController();
      if (wait > RETRY_MIN || !this.moving) this.state("connecting");
      this.moving = false;
      const follow = places.map((p) => (p.epoch ? `${p.sandbox}:${p.epoch}:${p.n}` : p.sandbox)).join(",");
      try {
        await this.read(follow, () => { wait = RETRY_MIN; });
      } catch (error) {
        if (error === "another place") {
          this.moving = true;
          continue;
        }
      }
      this.state("lost");
      await sleep(wait);
      wait = Math.min(wait * 2, RETRY_MAX);
    }
  }

  async read(follow, begun) {
    const { signal } = this.abort;
    const answer = await fetch(new URL(`live?follow=${encodeURIComponent(follow)}`, ADMIN), {
      headers: authorization(), signal, cache: "no-store", credentials: "omit",
    });
    if (answer.status === 401) await askToken();
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    begun();
    this.state("live");
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const silence = setTimeout(() => this.abort.abort("silence"), SILENCE_MAX);
      const { value, done } = await reader.read();
      clearTimeout(silence);
      if (done) return;
      rest += value;
      const messages = rest.split("\n\n");
      rest = messages.pop();
      for (const message of messages) this.take(message);
    }
  }

  take(message) {
    const name = /^event: (.*)$/m.exec(message)?.[1];
    const data = /^data: (.*)$/m.exec(message)?.[1];
    if (!name || !data) return;
    const event = JSON.parse(data);
    for (const place of this.wants.values()) {
      if (place.sandbox !== event.sandbox) continue;
      if (name === "begin") Object.assign(place, { epoch: event.epoch, n: event.after });
      if (name === "rows") place.n = Math.max(place.n, event.rows.at(-1)?.n ?? 0);
    }
    if (this.wants.size > 1) this.say({ type: "event", name, data: event });
    this.deliver(name, event);
  }

  state(state) {
    this.onState(state);
    this.say({ type: "state", state });
  }
}

const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
