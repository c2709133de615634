// A device in one line: link, where it is worn, battery.

import { make, mark, say } from "./dom.js";
import { t } from "./texts.js";
import { LOW_BATTERY, long, short, state } from "./words.js";

export function makeChip() {
  return make("li", { className: "chip" },
    make("span", { className: "mark", ariaHidden: "true" }), make("span", { className: "text" }));
}

export function updateChip(chip, device) {
  const [shape, word] = state(device.state);
  const off = device.state !== "streaming";
  const battery = typeof device.battery === "number" ? Math.round(device.battery) : null;
  const low = battery !== null && battery < LOW_BATTERY;
  const parts = [short(device.placement) || device.id];
  if (off) parts.push(word);
  if (battery !== null && (low || !off)) parts.push(low ? t("chip.battery_low", { battery }) : `${battery} %`);
  mark(chip, `chip${off ? " off" : ""}${low ? " low" : ""}`);
  say(chip.children[0], shape);
  say(chip.children[1], parts.join(" · "));
  const title = battery === null ? `${long(device.placement)}: ${device.id}, ${word}` : t("chip.battery", { placement: long(device.placement), id: device.id, word, battery });
  if (chip.title !== title) chip.title = title;
}
