// Axes around bars: how much the highest is, nought, and from when to when. What is drawn is told in a sentence beside it.

import { make } from "./dom.js";

const words = (textContent) => make("span", { textContent });

export const withAxes = (image, { most, from, to }) => make("div", { className: "axes", ariaHidden: "true" },
  make("div", { className: "up" }, words(most), words("0")), image,
  make("div", { className: "along" }, words(from), words(to)));
