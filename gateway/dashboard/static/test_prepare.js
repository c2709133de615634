// Before a test: which it is, how it is done, which sensors it needs and which of them the patient wears.

import { $, keep, make, mark, say } from "./dom.js";
import { t } from "./texts.js";
import { long, state as stateWords } from "./words.js";

const places = (names) => names.map((name) => long(name).toLowerCase()).join(", ");

export class Prepare {
  // `tests` as the server tells them; `changed()` hears of every choice.
  constructor(tests, changed) {
    Object.assign(this, { tests, test: null, changed });
    $("tests").append(...tests.map((one) => {
      const input = make("input", { type: "radio", name: "test", value: one.id });
      input.addEventListener("change", () => this.choose(one));
      return make("label", { className: "choice" }, input, make("span", {}, one.title));
    }));
    $("choose").addEventListener("submit", (event) => event.preventDefault());
  }

  choose(test) {
    this.test = test;
    $("fields").replaceChildren(...test.fields.map((field) => this.#control(field)));
    say($("chosen"), test.title);
    $("before").replaceChildren(...test.before.map((text) => make("li", {}, text)));
    $("details").hidden = false;
    this.changed();
  }

  // Nothing that was chosen for somebody is said of whoever comes next.
  reset() {
    this.test = null;
    $("choose").reset();
    $("fields").replaceChildren();
    $("details").hidden = true;
  }

  #control({ name, label, choices, low, high, required }) {
    const input = choices
      ? make("select", { name, required }, make("option", { value: "" }, required ? t("common.choose") : t("test_prepare.not_said")), ...choices.map(({ value, text }) => make("option", { value }, text)))
      : make("input", { name, type: "number", min: low, max: high, step: "any", inputMode: "decimal", placeholder: t("test_prepare.as_usual") });
    input.addEventListener("input", () => this.changed());
    return make("label", {}, label, input);
  }

  // Says which field is not right, and goes there.
  complain(say) {
    const wrong = [...$("fields").querySelectorAll("select, input")].find((input) => !input.checkValidity());
    say(`${wrong.parentElement.firstChild.textContent}: ${wrong.value === "" && wrong.required ? t("test_prepare.choose_one_or_result_doubt") : t("test_prepare.this_cannot_be")}`);
    wrong.focus();
  }

  // The protocol as the gateway takes it; null while a field cannot be right.
  protocol() {
    const inputs = [...$("fields").querySelectorAll("select, input")];
    if (!this.test || inputs.some((input) => !input.checkValidity())) return null;
    const said = inputs.filter(({ value }) => value !== "").map(({ name, value }) => `${name}=${value}`);
    return [this.test.protocol, ...said].join(" ");
  }

  // Says of each need who meets it: [{text, missing}]. `signals`: by device what it measures, as far as that is known.
  needs(worn, signals) {
    return this.test.needs.map(({ places: fit, gives, needed, signal }) => {
      const found = worn.filter(({ id, placement }) => fit.includes(placement) && (!signals[id]?.length || signals[id].includes(signal)));
      const sends = found.filter(({ id, state }) => state === "streaming" && signals[id]?.includes(signal));
      const one = sends[0] ?? found[0];
      if (sends.length) return { text: `${long(one.placement)} (${one.id}): ${gives}`, missing: false };
      const lacks = needed ? t("test_prepare.without_there_no_result") : t("test_prepare.it_will_be_missing");
      if (one) return { text: t("test_prepare.it_is", { placement: long(one.placement), id: one.id, gives, state: stateWords(one.state)[1], lacks }), missing: true };
      return { text: t("test_prepare.no_sensor_for_may_be", { gives, fit: places(fit), lacks }), missing: true };
    });
  }

  show(worn, signals) {
    if (!this.test) return;
    keep($("needs"), this.needs(worn, signals), () => make("li", {}, make("span", { ariaHidden: "true" }), make("span")), (item, { text, missing }) => {
      mark(item, missing ? "missing" : "");
      say(item.children[0], missing ? "▲" : "●");
      say(item.children[1], text);
    });
  }
}
