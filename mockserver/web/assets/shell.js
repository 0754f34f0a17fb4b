// What every page has: the theme, and the bar at the top.

import { h, iconButton } from "./dom.js";

const KEY = "mockserver-theme";

export function theme() {
  const chosen = localStorage.getItem(KEY);
  if (chosen) document.documentElement.dataset.theme = chosen;
}

function dark() {
  return (document.documentElement.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
}

export function themeButton() {
  return iconButton("theme", "Dark or light", () => {
    const next = dark() ? "light" : "dark";
    document.documentElement.dataset.theme = next;
    localStorage.setItem(KEY, next);
  });
}

export function brand() {
  return h("a", { class: "brand", href: "./" }, h("img", { src: "web/icon.svg", alt: "", width: 24, height: 24 }), h("span", {}, "Fake exchange"));
}

export function bar(...content) {
  return h("header", { class: "bar" }, brand(), content, themeButton());
}

export function links(current) {
  const pages = [["./", "Dashboard"], ["docs", "API documents"], ["facts", "Facts"]];
  return h("nav", { class: "pages", "aria-label": "Pages" }, pages.map(([href, text]) => h("a", { href, "aria-current": text === current ? "page" : undefined }, text)));
}
