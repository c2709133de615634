// The dialog that asks for a change: its fields, what the change means before it is made, and what became of it.

import { $, keep, make, mark, say } from "./dom.js";
import { newKey } from "./change.js";
import { t } from "./texts.js";

const GO_ON = t("ask.close");

function control({ name, options, ...field }) {
  const shared = { id: `ask-${name}`, name, required: field.required === true };
  if (!options) {
    const { type = "text", value = "", hint: _hint, label: _label, wide: _wide, suggestions, ...rest } = field;
    if (suggestions) rest.list = `ask-${name}-list`;
    const input = make("input", { ...shared, type, value, autocomplete: "off", spellcheck: false });
    for (const [key, given] of Object.entries(rest)) if (key !== "required") input.setAttribute(key, given);
    return input;
  }
  const select = make("select", shared);
  select.append(...options.map(({ value, text, disabled = false }) => make("option", { value, textContent: text, disabled })));
  if (field.value !== undefined) select.value = field.value;
  return select;
}

function made(field) {
  const input = control(field);
  const parts = [make("label", { htmlFor: input.id, textContent: field.label }), input];
  if (field.suggestions) {
    parts.push(make("datalist", { id: `ask-${field.name}-list` }, ...field.suggestions.map((value) => make("option", { value }))));
  }
  if (field.hint) {
    input.setAttribute("aria-describedby", `${input.id}-hint`);
    parts.push(make("p", { className: "hint", id: `${input.id}-hint`, textContent: field.hint }));
  }
  return make("div", { className: `field${field.wide ? " wide" : ""}` }, ...parts);
}

function updateWarning(item, { text, stops, link }) {
  mark(item, stops ? "stops" : "");
  if (item.dataset.said === text) return;
  item.dataset.said = text;
  item.replaceChildren(make("span", { ariaHidden: "true" }, stops ? "■" : "▸"), make("span", {}, text,
    ...(link ? [" ", make("a", { href: link.href, textContent: link.text })] : [])));
}

// What a change means, as the dialog lists it: something to know, and something that stops it, with where to go instead.
export const note = (text) => ({ text, stops: false });
export const stop = (text, link) => ({ text, stops: true, link });

export class Ask {
  // `done(answer, spec)` hears of a change that was made, `unknown(error)` of one that may have been.
  constructor(done, unknown) {
    Object.assign(this, { done, unknown, spec: null, busy: false, key: "", sent: "" });
    $("ask-close").addEventListener("click", () => this.close());
    $("ask").addEventListener("cancel", (event) => { if (this.busy) event.preventDefault(); });
    // It says late that it has closed: another change may have been asked for by then.
    $("ask").addEventListener("close", () => { if (!$("ask").open) this.spec = null; });
    $("ask-fields").addEventListener("input", () => this.refresh());
    $("ask-form").addEventListener("submit", (event) => { event.preventDefault(); this.#send(); });
  }

  // Opens the dialog for a change: {title, fields, means(values), action, send(values, key), said(values)}.
  open(spec) {
    if (this.busy) return;
    Object.assign(this, { spec, key: newKey(), sent: "", over: false });
    say($("ask-title"), spec.title);
    say($("ask-send"), spec.action);
    say($("ask-close"), t("ask.cancel"));
    $("ask-refused").hidden = true;
    $("ask-fields").replaceChildren(...(spec.fields ?? []).map(made));
    $("ask-warnings").replaceChildren();
    this.refresh();
    $("ask").showModal();
    ($("ask-fields").querySelector("input, select") ?? $("ask-close")).focus();
  }

  close() {
    if (!this.busy) $("ask").close();
  }

  // Says anew what the change means: what is typed, or the ward, is another.
  refresh() {
    if (!this.spec) return;
    const found = this.spec.means(this.#values());
    keep($("ask-warnings"), found, () => make("li"), updateWarning);
    $("ask-send").disabled = this.busy || this.over || found.some(({ stops }) => stops);
  }

  #values() {
    const inputs = [...$("ask-fields").querySelectorAll("input, select")];
    return Object.fromEntries(inputs.filter(({ value }) => value.trim()).map((input) =>
      [input.name, input.type === "number" ? input.valueAsNumber : input.value.trim()]));
  }

  async #send() {
    const { spec } = this;
    if (!spec || this.busy || this.over) return; // a second click
    const values = this.#values();
    if (spec.means(values).some(({ stops }) => stops)) return;
    if (this.sent && this.sent !== JSON.stringify(values)) this.key = newKey();
    this.sent = JSON.stringify(values);
    this.busy = true;
    $("ask-close").disabled = true;
    say($("ask-send"), t("common.one_moment"));
    this.refresh();
    const answer = await spec.send(values, this.key);
    this.busy = false;
    $("ask-close").disabled = false;
    say($("ask-send"), spec.action);
    if (!answer.error) {
      this.spec = null; // now: the dialog says later that it has closed, and what is sent once more would be a change again
      this.close();
      this.done(answer, [spec.said(values), answer.note && `▲ ${answer.note}`].filter(Boolean).join(" "));
    } else this.#refused(answer);
    this.refresh();
  }

  #refused({ error, unknown = false, partly = false }) {
    say($("ask-refused"), error);
    $("ask-refused").hidden = false;
    this.over = unknown || partly; // not the same again, unseen
    this.key = newKey();
    if (this.over) {
      say($("ask-close"), GO_ON);
      $("ask-close").focus();
    }
    if (unknown) this.unknown(error);
  }
}
