// After a test: its result with what is doubtful about it, and start and end that can be corrected, beside what was found.

import { change, newKey } from "./change.js";
import { $, keep, make, mark, ofGateway, say, speak } from "./dom.js";
import { ask, now } from "./live.js";
import { MovementPlot } from "./test_plot.js";
import { t } from "./texts.js";
import { number, qualityWords, reasonWords, when } from "./words.js";

const BY_HAND = "by-hand/1";
const GOAL_S = 10; // the result is to be there so long after the end
const GIVEN_UP_S = 20; // after so long nothing comes any more
const ASK_MS = 2000;
const ASK_FOR_S = 30; // the history has the last of it by then
const UNREAD_MS = 5000; // where it could not be read it is asked again for as long as the test is shown, but not as often
const FARTHEST_S = 60; // as the gateway takes it
const STEP_S = 0.1;

export const isOf = (session, part) => part === session || part.startsWith(`${session}-r`);
const overlap = (a, b) => Math.min(a.end_us, b.end_us) - Math.max(a.start_us, b.start_us);

export class Result {
  // `catalogue` of metrics; `failed(text, subject)` hears of what was refused, `done(text, subject)` of what was made, and of whom.
  constructor(catalogue, { done, failed }) {
    Object.assign(this, { catalogue, done, failed, session: null, results: [], chosen: null, right: null, shown: new Map(), busy: false, known: null, unread: false, due: Infinity });
    this.plot = new MovementPlot((right) => this.#move(right));
    $("correct").addEventListener("submit", (event) => { event.preventDefault(); this.#save(); });
    $("ends").append(...[["start_us", t("common.start")], ["end_us", t("test_result.end")]].map(([key, word]) => this.#end(key, word)));
    $("parts-table").append(make("thead", {}, make("tr", {}, ...[t("common.what"), t("test_result.found"), t("test_result.by_hand"), t("common.unit"), t("test_result.remark")].map((text) => make("th", { scope: "col" }, text)))), make("tbody"));
  }

  // A test that is over: {session, test, bed}; the same again changes nothing.
  open(session, test, bed) {
    const same = this.session?.id === session.id && this.session.started_us === session.started_us && this.session.ended_us === session.ended_us;
    if (same) { this.session = session; return; }
    Object.assign(this, { session, test, bed, results: [], chosen: null, right: null, known: null, unread: false });
    say($("result-title"), test.title);
    say($("result-when"), t("test_result.to", { subject: session.subject, clock: when(session.started_us / 1e6, now()), clock2: when(session.ended_us / 1e6, session.started_us / 1e6) }));
    say($("correct-hint"), test.timed.endsWith("_time") ? t("test_result.drag_two_lines_or_use", { not_again: test.not_again })
      : t("test_result.drag_two_lines_or_use_2", { not_again: test.not_again }));
    $("trials").replaceChildren();
    $("outside").hidden = true;
    this.plot.take({ trace: null, events: [], signal: test.signal, zero_us: session.started_us });
    this.#ask();
  }

  // What the server keeps of the test: movement and events, which come a little later than the result.
  async #ask() {
    const { session } = this;
    const asked = this.asked = {};
    this.due = Infinity;
    const found = await ask(ofGateway(`api/test/${encodeURIComponent(this.bed)}?session=${encodeURIComponent(session.id)}`));
    if (this.asked !== asked) return; // for another test, or for other times of this one
    const read = Boolean(found) && !found.problem;
    if (read || (found && !this.known)) this.#know(found, session);
    this.unread = !read;
    const recent = now() - session.ended_us / 1e6 < ASK_FOR_S;
    this.due = recent || this.unread ? performance.now() + (recent ? ASK_MS : UNREAD_MS) : Infinity;
    this.take(this.live ?? []);
  }

  #know(found, session) {
    const old = this.known;
    this.known = found;
    if (!old || old.events.length !== found.events.length || old.trace?.[this.test.signal].length !== found.trace?.[this.test.signal].length) {
      this.plot.take({ trace: found.trace, events: found.events, signal: this.test.signal, zero_us: session.started_us });
    }
    const titles = found.outside.map((metric) => this.catalogue[metric]?.title ?? metric).join(", ");
    say($("outside"), titles && `▲ ${t("test_result.outside", { titles })}`);
    $("outside").hidden = !titles;
  }

  // Live results of this bed; those of the test are shown as they come.
  take(live) {
    this.live = live;
    if (!this.session) return;
    const mine = live.filter(({ session }) => isOf(this.session.id, session));
    const seen = new Set(mine.map((one) => JSON.stringify(one)));
    this.results = [...(this.known?.results ?? []).filter((one) => !seen.has(JSON.stringify(one))), ...mine];
    this.#show();
    if (performance.now() >= this.due) this.#ask();
  }

  reported() {
    return this.results.filter(({ metric }) => this.catalogue[metric]?.kind === "reported");
  }

  // Each found result with what was corrected of it: [{found, also, right: {…}}].
  #trials() {
    const main = this.test.timed || this.test.results[0];
    const found = this.results.filter(({ metric, algorithm }) => metric === main && algorithm !== BY_HAND);
    const right = this.results.filter(({ metric, algorithm }) => metric === main && algorithm === BY_HAND);
    return found.map((one) => {
      const mine = right.filter((other) => Math.max(...found.map((each) => overlap(each, other))) === overlap(one, other));
      return { found: one, right: mine.at(-1) ?? null };
    });
  }

  #value(metric, shown) {
    const about = this.catalogue[metric];
    return shown?.value === null || shown === undefined ? t("test_result.no_result") : `${number(shown.value, about.digits)} ${about.unit_text}`.trim();
  }

  #same(metric, like) { // the result of the same times, such as the speed of a time
    return this.results.find((one) => one.metric === metric && one.start_us === like.start_us && one.end_us === like.end_us && one.algorithm === like.algorithm)
      ?? (like.algorithm === BY_HAND ? undefined : this.results.find((one) => one.metric === metric && one.algorithm !== BY_HAND && overlap(one, like) >= 0));
  }

  #words(like) {
    const main = this.test.results[0];
    const large = main === like.metric ? like : this.#same(main, like);
    const rest = main === like.metric ? "" : this.#value(like.metric, like);
    return [this.#value(main, large ?? like), rest, large ?? like];
  }

  #show() {
    const trials = this.#trials();
    const nothing = !trials.length;
    const waited = now() - this.session.ended_us / 1e6;
    if (!nothing && !this.shown.has(this.session.id)) this.#arrived(waited, trials);
    say($("waits"), this.unread ? t("test_result.history_unread") : nothing ? this.#nothing(waited) : this.shown.get(this.session.id) ?? "");
    keep($("trials"), trials, () => this.#makeTrial(), (item, trial, i) => this.#updateTrial(item, trial, i, trials.length));
    if (!this.chosen || !trials.some(({ found }) => found.start_us === this.chosen.start_us)) this.#choose(trials.findLast(({ found }) => found.value !== null));
    this.#parts();
  }

  // That there is none is said only where the history was read.
  #nothing(waited) {
    return waited < GIVEN_UP_S || !this.known ? t("test_result.working_it_out") : t("test_result.nothing_was_found_that_this");
  }

  #arrived(waited, trials) {
    const fresh = waited < GIVEN_UP_S;
    this.shown.set(this.session.id, fresh ? waited > GOAL_S ? t("test_result.result_was_there_s_after", { waited: number(waited, 1) }) : t("test_result.result_was_there_s_after_2", { waited: number(Math.max(0, waited), 1) }) : "");
    if (fresh) speak(`${this.test.title}: ${this.#words(trials.at(-1).found)[0]}`);
  }

  #makeTrial() {
    return make("li", {}, make("p", { className: "nth" }), make("p", { className: "value" }, make("span"), " ", make("small")), make("p", { className: "doubt" }),
      make("p", { className: "by-hand" }), make("button", { type: "button" }, t("common.correct_start_and_end")));
  }

  #updateTrial(item, { found, right }, i, n) {
    const [nth, value, doubt, byHand, button] = item.children;
    const [large, rest, of] = this.#words(found);
    nth.hidden = n < 2;
    say(nth, t("test_result.no_that_were_found", { i: i + 1, n }));
    say(value.children[0], large);
    say(value.children[1], [rest, t("test_result.found_by_the_sensors")].filter(Boolean).join(" · "));
    doubt.hidden = of.quality === "ok";
    say(doubt, `▲ ${qualityWords(of.quality)}: ${reasonWords(of.reason) || t("test_result.no_reason_given")}`);
    byHand.hidden = !right;
    if (right) {
      const [better, time] = this.#words(right);
      const moved = ["start_us", "end_us"].map((key) => (right[key] - found[key]) / 1e6);
      say(byHand, t("test_result.by_hand_start_s_end", { which: [better, time].filter(Boolean).join(" · "), moved: signed(moved[0]), moved2: signed(moved[1]) }));
    }
    button.hidden = !this.test.timed || found.value === null || !this.mayCorrect;
    button.setAttribute("aria-expanded", String(this.chosen?.start_us === found.start_us && !$("correct").hidden));
    button.onclick = () => { this.#choose({ found, right }); this.#edit(); };
  }

  #choose(trial) {
    this.chosen = trial?.found ?? null;
    const from = trial && (trial.right ?? trial.found);
    this.right = from && { start_us: from.start_us, end_us: from.end_us };
    $("correct").hidden = true;
    this.plot.mark(this.chosen, this.right, false);
  }

  #edit() {
    $("correct").hidden = false;
    $("why").value = "";
    this.#move(this.right);
    $("end-start_us").focus();
    $("movement").scrollIntoView({ block: "nearest" });
  }

  #end(key, word) {
    const input = make("input", { id: `end-${key}`, type: "number", step: 0.01, inputMode: "decimal", required: true });
    input.addEventListener("input", () => { if (input.value !== "") this.#move({ ...this.right, [key]: this.session.started_us + Math.round(Number(input.value) * 1e6) }, key); });
    const by = (sign, text) => {
      const button = make("button", { type: "button", ariaLabel: sign < 0 ? t("test_result.s_earlier", { word, step_s: STEP_S }) : t("test_result.s_later", { word, step_s: STEP_S }) }, text);
      button.addEventListener("click", () => this.#move({ ...this.right, [key]: this.right[key] + sign * STEP_S * 1e6 }));
      return button;
    };
    return make("div", {}, make("label", { htmlFor: input.id }, t("test_result.s_after_start", { word })), by(-1, "− 0.1"), input, by(1, "+ 0.1"));
  }

  #move(right, typed = "") {
    this.right = right;
    for (const key of ["start_us", "end_us"]) if (key !== typed) $(`end-${key}`).value = ((right[key] - this.session.started_us) / 1e6).toFixed(2);
    const { problem, text } = this.#preview();
    say($("preview"), text);
    mark($("preview"), problem ? "preview doubt" : "preview");
    $("save-times").disabled = problem || this.busy;
    this.plot.mark(this.chosen, right, true);
  }

  #preview() {
    const seconds = (this.right.end_us - this.right.start_us) / 1e6;
    const moved = ["start_us", "end_us"].map((key) => (this.right[key] - this.chosen[key]) / 1e6);
    if (seconds <= 0) return { problem: true, text: t("test_result.would_end_before_begins") };
    if (Math.max(...moved.map(Math.abs)) > FARTHEST_S) return { problem: true, text: t("test_result.start_end_can_be_moved", { farthest_s: FARTHEST_S }) };
    if (moved.every((one) => one === 0)) return { problem: true, text: t("test_result.these_are_times_that_were") };
    return { problem: false, text: t("test_result.s_from_start_end_start", { seconds: number(seconds, 2), moved: signed(moved[0]), moved2: signed(moved[1]) }) };
  }

  async #save() {
    if (this.busy || $("save-times").disabled) return;
    this.busy = true;
    const { chosen, right, session } = this;
    const answer = await change("test-correct", {
      session: session.id, metric: this.test.timed, found_start_us: chosen.start_us, found_end_us: chosen.end_us, ...right, why: $("why").value,
    }, newKey());
    this.busy = false;
    if (answer.error) { this.failed(answer.error, session.subject); return; }
    this.done(t("test_result.corrected_times_stand_beside_what"), session.subject);
    if (this.chosen !== chosen) return; // another test is shown by now, or another movement of this one
    $("correct").hidden = true;
    this.plot.mark(chosen, right, false);
    $("result-title").focus();
  }

  #parts() {
    const metrics = [...new Set(this.results.map(({ metric }) => metric))].filter((metric) => this.catalogue[metric]?.kind === "test");
    const newest = (metric, byHand) => this.results.findLast((one) => one.metric === metric && (one.algorithm === BY_HAND) === byHand);
    $("parts").hidden = !metrics.length;
    keep($("parts-table").tBodies[0], metrics, () => make("tr", {}, make("th", { scope: "row" }), make("td"), make("td"), make("td"), make("td")), (row, metric) => {
      const [found, right] = [newest(metric, false), newest(metric, true)];
      const about = this.catalogue[metric];
      const texts = [about.title, found ? number(found.value, about.digits) : "", right ? number(right.value, about.digits) : "", about.unit_text,
        found && found.quality !== "ok" ? `${qualityWords(found.quality)}: ${reasonWords(found.reason)}` : ""];
      texts.forEach((text, i) => say(row.children[i], text));
    });
  }
}

const signed = (seconds) => `${seconds < 0 ? "−" : "+"}${number(Math.abs(seconds), 2)}`;
