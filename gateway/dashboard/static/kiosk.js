// A screen on a wall: nobody touches it. As many beds as can be read from three metres, and the pages turn by themselves.

import { $, calm } from "./dom.js";
import { choice } from "./wall.js";

const MOST = 24; // tiles: more are not read at a glance
const SHORTEST_TURN_S = 5; // a page has to be read
const CALM_FACTOR = 2; // for those who asked for less motion: half as often, and without fading
const FADE_MS = 400;

// How many tiles fit: the stylesheet says how small one may be, in widths and heights of its own letters.
function room() {
  const style = getComputedStyle(document.documentElement);
  const rem = parseFloat(style.fontSize);
  const [width, height] = ["--tile-width", "--tile-height"].map((name) => parseFloat(style.getPropertyValue(name)) * rem);
  const below = document.querySelector("footer").offsetHeight + rem;
  const columns = Math.max(1, Math.floor($("tiles").clientWidth / width));
  const rows = Math.max(1, Math.floor((innerHeight - $("tiles").getBoundingClientRect().top - scrollY - below) / height));
  return { columns, rows };
}

export class Kiosk {
  // `turn()` shows the next page.
  constructor(turn) {
    document.body.classList.add("kiosk");
    for (const link of document.querySelectorAll("a[href]")) link.removeAttribute("href");
    this.turned = performance.now();
    setInterval(() => this.#look(turn), 500);
  }

  // How many tiles a page has; the grid is told.
  size() {
    const { columns, rows } = room();
    const wide = Math.min(columns, MOST);
    const most = Math.max(1, Math.min(rows, Math.floor(MOST / wide)));
    document.documentElement.style.setProperty("--columns", wide);
    document.documentElement.style.setProperty("--rows", most);
    return wide * most;
  }

  #look(turn) {
    const seconds = Number(choice.turn);
    if (!(seconds > 0) || document.hidden) return; // ?turn=0: it stays where it is
    const wait = Math.max(SHORTEST_TURN_S, seconds) * 1000 * (calm() ? CALM_FACTOR : 1);
    if (performance.now() - this.turned < wait) return;
    this.turned = performance.now();
    if (calm()) turn();
    else {
      $("tiles").classList.add("turning");
      setTimeout(() => { turn(); $("tiles").classList.remove("turning"); }, FADE_MS);
    }
  }
}
