// A screen on a wall: nobody touches it. As many beds as can be read from three metres, and the pages turn by themselves.

import { $, calm } from "./dom.js";
import { choice } from "./wall.js";

const MOST = 24; // tiles: more are not read at a glance
const LARGEST = 6; // times the smallest tile: one bed alone is read from across any room
const SMALLEST = 0.6; // on a screen that has not even room for one
const TALL = 1.1; // height beside width: from here on a number stands below the other
const SHORTEST_TURN_S = 5; // a page has to be read
const CALM_FACTOR = 2; // for those who asked for less motion: half as often, and without fading
const FADE_MS = 400;

// The room that the tiles have, and how small one may be: the stylesheet says it, in widths and heights of its own letters.
function room() {
  const style = getComputedStyle(document.documentElement);
  const rem = parseFloat(style.fontSize);
  const [least, lowest, gap] = ["--tile-width", "--tile-height", "--tile-gap"].map((name) => parseFloat(style.getPropertyValue(name)) * rem);
  const below = document.querySelector("footer").offsetHeight + rem;
  const height = innerHeight - $("tiles").getBoundingClientRect().top - scrollY - below;
  return { width: $("tiles").clientWidth, height, least, lowest, gap };
}

// How much larger than the smallest a tile is, of so many beside and below each other.
function scaleOf({ width, height, least, lowest, gap }, columns, rows) {
  const wide = (width - gap * (columns - 1)) / columns / least;
  const high = (height - gap * (rows - 1)) / rows / lowest;
  return Math.min(LARGEST, Math.max(SMALLEST, Math.min(wide, high)));
}

// Columns and rows of a page: of few tiles those in which each is largest, of many as many as can be read.
function arranged(count, place) {
  const columns = Math.min(MOST, Math.max(1, Math.floor((place.width + place.gap) / (place.least + place.gap))));
  const fitting = Math.max(1, Math.floor((place.height + place.gap) / (place.lowest + place.gap)));
  const rows = Math.max(1, Math.min(fitting, Math.floor(MOST / columns)));
  if (count >= columns * rows) return { columns, rows, scale: scaleOf(place, columns, rows) };
  const each = Array.from({ length: columns }, (_, n) => ({ columns: n + 1, rows: Math.ceil(Math.max(1, count) / (n + 1)) }));
  return each.filter((one) => one.rows <= rows).map((one) => ({ ...one, scale: scaleOf(place, one.columns, one.rows) }))
    .reduce((best, one) => (one.scale > best.scale ? one : best));
}

export class Kiosk {
  // `turn()` shows the next page.
  constructor(turn) {
    document.body.classList.add("kiosk");
    for (const link of document.querySelectorAll("a[href]")) link.removeAttribute("href");
    this.turned = performance.now();
    setInterval(() => this.#look(turn), 500);
  }

  // How many tiles a page has, of so many in all; the grid is told, and how large they are.
  size(count) {
    const place = room();
    const { columns, rows, scale } = arranged(count, place);
    document.body.classList.toggle("tall", place.height / rows > TALL * (place.width / columns));
    for (const [name, value] of Object.entries({ columns, rows, scale })) document.documentElement.style.setProperty(`--${name}`, value);
    return columns * rows;
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
