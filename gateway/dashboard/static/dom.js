// Small helpers: the page is made once and then only what changed is touched.

// Where the dashboard's addresses begin, behind a proxy that may be a folder: scripts are in static, in a folder by their build.
export const ROOT = new URL("../..", import.meta.url);

// The gateway that a page is of, where its address names one; without, it is of the dashboard's own.
export const GATEWAY = new URLSearchParams(location.search).get("gateway") ?? "";
export const ofGateway = (address) =>
  (GATEWAY ? `${address}${address.includes("?") ? "&" : "?"}gateway=${encodeURIComponent(GATEWAY)}` : address);

for (const link of document.querySelectorAll("a[data-of-gateway]")) link.setAttribute("href", ofGateway(link.getAttribute("href")));

export const $ = (id) => document.getElementById(id);

export function make(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in node) node[name] = value;
    else node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

// The same of a drawing.
export function svg(tag, attributes, text) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  if (text !== undefined) node.textContent = text;
  return node;
}

export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export function mark(node, className) {
  if (node.className !== className) node.className = className;
}

export function attribute(node, name, value) {
  if (node.getAttribute(name) !== value) node.setAttribute(name, value);
}

// Makes `parent` hold one child for each item, reusing what is there.
export function keep(parent, items, create, update) {
  while (parent.children.length > items.length) parent.lastElementChild.remove();
  items.forEach((item, i) => {
    if (!parent.children[i]) parent.append(create(item));
    update(parent.children[i], item, i);
  });
}

const SPEAK_EVERY_MS = 5000;
let lastSpoken = -SPEAK_EVERY_MS;
let pending = 0;
let firstWaits = false;

// To screen readers, politely and never more often than every five seconds; the newest words win, but over what comes first
// and waits for its turn: a notice, another patient.
export function speak(text, { first = false } = {}) {
  if (firstWaits && !first) return;
  clearTimeout(pending);
  firstWaits = first;
  const wait = Math.max(0, lastSpoken + SPEAK_EVERY_MS - performance.now());
  pending = setTimeout(() => {
    firstWaits = false;
    lastSpoken = performance.now();
    say($("spoken"), text);
  }, wait);
}

export const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
// How much larger than usual a page is: on a screen of very many pixels all of it is (base.css), and so is what is drawn.
export const LARGE = parseFloat(getComputedStyle(document.documentElement).fontSize) / 16;
export const PLOT_FONT = `${12 * LARGE}px system-ui, sans-serif`;
export const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

export function onColourChange(redo) {
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redo);
}
