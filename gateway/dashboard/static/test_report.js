// What the patient says after a test: how hard it was, how much it hurts, a note, and the forms of the ward.

import { change, newKey } from "./change.js";
import { $, make, say } from "./dom.js";
import { t } from "./texts.js";
import { clock, number } from "./words.js";

const SCALES = [
  { metric: "borg_cr10", marks: [0, 0.5, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10], ends: [t("test_report.nothing_at_all"), t("test_report.extremely_strong")] },
  { metric: "pain_nrs", marks: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10], ends: [t("test_report.no_pain"), t("test_report.worst_pain_imaginable")] },
  { metric: "borg_rpe", marks: Array.from({ length: 15 }, (_, i) => i + 6), ends: [t("test_report.no_exertion"), t("test_report.maximal_exertion")], folded: t("test_report.borg_6_20_instead") },
];
const FORM = "form_answer";

function radios(name, options) {
  return make("div", { className: "marks-of" }, ...options.map(({ value, text }) =>
    make("label", { className: "mark-of" }, make("input", { type: "radio", name, value }), make("span", {}, text))));
}

export class Report {
  constructor(catalogue, forms, problems, { done, failed }) {
    Object.assign(this, { catalogue, forms, done, failed, session: null, busy: false });
    $("scales").append(...SCALES.map((scale) => this.#scale(scale)));
    $("report").addEventListener("submit", (event) => { event.preventDefault(); this.#save(); });
    $("forms").append(...forms.map((form) => this.#form(form)));
    say($("form-problems"), problems.join(" "));
    $("form-problems").hidden = !problems.length;
  }

  // Of another session nothing that was ticked stays.
  open(session) {
    if (this.session?.id === session.id) return;
    this.session = session;
    for (const form of document.querySelectorAll("#report, #forms form")) form.reset();
  }

  show(reported) {
    const words = reported.map((one) => {
      const about = this.catalogue[one.metric];
      return one.metric === FORM ? this.#answerWords(one) : `${about.title}: ${number(one.value, one.value % 1 ? 1 : 0)}`;
    });
    say($("so-far"), words.length ? t("test_report.so_far", { which: words.join(" · ") }) : t("test_report.nothing_was_entered_yet"));
  }

  #answerWords({ algorithm, value }) {
    const [, name, item] = /^form\/([^.]+)\.([^/]+)\//.exec(algorithm) ?? [];
    const form = this.forms.find(({ id }) => id === name);
    const question = form?.item.find(({ id }) => id === item);
    return `${question?.text ?? item}: ${question?.answers.find((answer) => answer.value === value)?.text ?? number(value, 0)}`;
  }

  #scale({ metric, marks, ends, folded }) {
    const legend = this.catalogue[metric].title;
    const set = make("fieldset", { className: "scale" }, make("legend", {}, legend), radios(metric, marks.map((value) => ({ value, text: String(value) }))),
      make("p", { className: "ends-of" }, make("span", {}, `${marks[0]}: ${ends[0]}`), make("span", {}, `${marks.at(-1)}: ${ends[1]}`)));
    return folded ? make("details", {}, make("summary", {}, folded), set) : set;
  }

  #form(form) {
    const items = form.item.map((item) => (item.answers.length
      ? make("fieldset", { className: "item" }, make("legend", {}, item.text), radios(item.id, item.answers))
      : make("div", { className: "item" }, make("label", { className: "number" }, item.text,
        make("input", { type: "number", name: item.id, min: item.low, max: item.high, inputMode: "numeric" })))));
    const made = make("form", {}, ...(form.note ? [make("p", { className: "remark" }, form.note)] : []), ...items, make("button", { type: "submit", className: "first" }, t("test_report.save_the_answers")));
    made.addEventListener("submit", (event) => { event.preventDefault(); this.#answer(form, made); });
    return make("details", {}, make("summary", {}, form.title), made);
  }

  #read(form) {
    const said = [...new FormData(form)].filter(([, value]) => value !== "");
    return Object.fromEntries(said.map(([name, value]) => [name, Number(value)]));
  }

  async #save() {
    const [values, note] = [this.#read($("report")), $("note").value.trim()];
    if (!Object.keys(values).length && !note) { this.failed(t("test_report.nothing_ticked_note_empty")); return; }
    if (await this.#send({ ...(Object.keys(values).length ? { values } : {}), note })) $("report").reset();
  }

  async #answer({ id, version, title }, form) {
    const answers = this.#read(form);
    if (!Object.keys(answers).length) { this.failed(t("test_report.nothing_answered_yet", { title })); return; }
    if (await this.#send({ form: id, version, answers })) form.reset();
  }

  // Returns whether it was saved, and the form is still that of this test.
  async #send(fields) {
    if (this.busy || !this.session) return false;
    this.busy = true;
    const { session } = this;
    const answer = await change("session-report", { session: session.id, ...fields }, newKey());
    this.busy = false;
    if (answer.error) { this.failed(answer.error, session.subject); return false; }
    this.done(t("test_report.saved_with_test", { clock: clock(session.started_us / 1e6) }), session.subject);
    return this.session === session;
  }
}
