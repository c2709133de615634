// Sensors that are in range, taken into the ward; and which of them is in somebody's hand.

import { note, stop } from "./ask.js";
import { change, newKey, send } from "./change.js";
import { $, keep, make, say, speak } from "./dom.js";
import { t } from "./texts.js";
import { driverWords, long, placements } from "./words.js";

const SCAN_S = 8;
const TAP_S = 10;
const MORE_MS = 60_000; // a device that nobody wears is connected first
const ID = "[a-z0-9][a-z0-9_\\-]{0,31}";

const nameOf = ({ name, address }) => name || address;

// `ward()` tells the page of sensors as it is now: {sensors, gateway}.
function addDevice(ward, heard, done) {
  const pick = (values, words) => values.map((value) => ({ value, text: words(value) }));
  return {
    title: t("dock_pairing.title", { name: nameOf(heard) }), action: t("dock_pairing.action"),
    fields: [
      { name: "id", label: t("dock_pairing.what_it_is_called"), required: true, wide: true, pattern: ID, maxlength: 32, autocapitalize: "none", hint: t("dock_pairing.such_as") },
      { name: "driver", label: t("dock_pairing.which_kind"), required: true, options: pick(heard.drivers, driverWords) },
      { name: "placement", label: t("dock_pairing.where_usually"), required: true, options: pick(placements, long) },
    ],
    means: ({ id }) => {
      if (!id) return [];
      const taken = ward().sensors.some((one) => one.id === id);
      return [taken ? stop(t("dock_pairing.there_already", { id })) : note(t("dock_pairing.becomes", { id }))];
    },
    send: async (values, key) => {
      const answer = await change("add-device", { device: { ...values, address: heard.address } }, key);
      if (!answer.error) done(heard.address);
      return answer;
    },
    said: ({ id }) => t("dock_pairing.was_added", { id }),
  };
}

export class Pairing {
  // `may` and `mayPair` name what whoever is signed in may do.
  constructor({ ward, dialog, may, mayPair }) {
    Object.assign(this, { ward, dialog, adds: may.includes("add-device"), mayPair, heard: null, taken: new Set(), busy: false });
    $("scan").hidden = !mayPair.includes("scan");
    $("tap").hidden = !mayPair.includes("tap");
    $("scan").addEventListener("click", () => this.#scan());
    $("tap").addEventListener("click", () => this.#tap());
  }

  get blinks() {
    return this.mayPair.includes("blink");
  }

  // Shows what is in range and not the ward's: what was added meanwhile is not there any more.
  show() {
    const fresh = (this.heard ?? []).filter((one) => one.drivers?.length && !one.device && !this.taken.has(one.address));
    $("heard").hidden = !fresh.length;
    keep($("heard-list"), fresh, () => make("li", { className: "sensor" }, make("h3"), make("p", { className: "kind" }), make("p", { className: "where" }), make("button", { type: "button" })), (item, one) => this.#update(item, one));
    return fresh;
  }

  async blink(id) {
    await this.#work("blink", { device: id }, t("common.one_moment"), () => t("dock_pairing.blinks", { id }));
  }

  #update(item, one) {
    const [name, kind, where, button] = item.children;
    say(name, nameOf(one));
    say(kind, one.drivers.map(driverWords).join(", "));
    say(where, t("dock_pairing.strength", { address: one.address, rssi: one.rssi_dbm ?? "–" }));
    say(button, t("dock_pairing.add"));
    button.hidden = !this.adds;
    button.setAttribute("aria-label", t("dock_pairing.add_label", { name: nameOf(one) }));
    button.onclick = () => this.dialog.open(addDevice(this.ward, one, (address) => { this.taken.add(address); this.show(); }));
  }

  async #scan() {
    await this.#work("scan", { for_s: SCAN_S }, t("dock_pairing.looking", { seconds: SCAN_S }), (found) => {
      this.heard = found.heard ?? [];
      const fresh = this.show();
      if (fresh.length) return "";
      return this.heard.length ? t("dock_pairing.nothing_new", { n: this.heard.length }) : t("dock_pairing.nothing_heard");
    });
  }

  async #tap() {
    await this.#work("tap", { for_s: TAP_S }, t("dock_pairing.tap_now", { seconds: TAP_S }), ({ tapped, watched = [], not_reached: lost = [] }) => {
      const said = tapped ? t("dock_pairing.tapped", { id: tapped }) : t("dock_pairing.none_tapped", { watched: watched.join(", ") });
      return lost.length ? `${said} ${t("dock_pairing.not_reached", { which: lost.join(", ") })}` : said;
    });
  }

  // One thing at a time: all of them need the radio.
  async #work(name, fields, meanwhile, words) {
    if (this.busy) return;
    this.#wait(true);
    say($("pairing-said"), meanwhile);
    speak(meanwhile);
    const answer = await send(`api/devices/${name}`, this.ward().gateway, fields, newKey(), MORE_MS);
    this.#wait(false);
    const said = answer.error ?? words(answer);
    say($("pairing-said"), said);
    if (said) speak(said);
  }

  #wait(busy) {
    this.busy = busy;
    for (const button of document.querySelectorAll("#scan, #tap, .sensor button")) button.disabled = busy;
    $("pairing-said").setAttribute("aria-busy", String(busy));
  }
}
