// Who may sign in, what was done, and who looked at what. Read only: users and tokens are made by commands.

import { $, ROOT, keep, make, mark, say } from "./dom.js";
import { follow } from "./live.js";
import { leaveIfOver, signedIn } from "./session.js";
import { inMyLanguage, t } from "./texts.js";
import { clock, day, roleWords } from "./words.js";

const ANSWER_MS = 60_000; // a check of a hundred thousand entries takes some seconds of a small computer
const SHOWN_PEOPLE = 6; // whom an entry is about, before the rest is folded away
const MICRO = 1e6;

const moment = (us) => `${day(us)}, ${clock(us / MICRO)}`;

async function asked(path) {
  try {
    const response = await fetch(new URL(inMyLanguage(path), ROOT), { signal: AbortSignal.timeout(ANSWER_MS) });
    if (response.status === 401) await leaveIfOver();
    const answer = await response.json();
    return response.ok ? answer : { error: answer.error ?? t("people.said_no"), needs: response.status === 403 };
  } catch {
    return { error: t("people.no_connection") };
  }
}

const troubles = new Map(); // by what was asked for: an answer to one is none to another

function trouble(about, { error, needs }) {
  troubles.set(about, error);
  const words = [...new Set(troubles.values())].filter(Boolean).join(" ");
  say($("trouble"), words);
  $("trouble").hidden = !words;
  if (needs) $("all").hidden = true;
}

// The names of the columns, for a narrow screen, on which each row is a block.
const headsOf = (table) => [...table.tHead.rows[0].cells].map((cell) => cell.textContent);

function rows(table, items, cellsOf) {
  const heads = headsOf(table);
  keep(table.tBodies[0], items, () => make("tr"), (row, item) => {
    row.replaceChildren(...cellsOf(item).map((content, i) => {
      const properties = i ? { "data-name": heads[i] } : { scope: "row" };
      return make(i ? "td" : "th", properties, ...(Array.isArray(content) ? content : [content || "–"]));
    }));
  });
}

const last = (us) => (us === null ? t("people.not_in_the_log") : moment(us));

async function showPeople() {
  const told = await asked("api/people");
  trouble("people", told);
  if (told.error) return;
  rows($("users"), told.users, (one) => [one.name, roleWords(one.role), one.pin ? t("people.has_pin") : t("people.no_pin"), last(one.last_us)]);
  rows($("tokens"), told.tokens, (one) => [
    one.name, roleWords(one.role), one.over ? t("people.is_over", { day: day(one.until_us) }) : day(one.until_us), last(one.last_us),
  ]);
  $("tokens").hidden = !told.tokens.length;
  $("no-tokens").hidden = told.tokens.length > 0;
  $("openid").hidden = !told.openid;
  say($("counts"), `${t("people.count_users", { n: told.users.length })}, ${t("people.count_tokens", { n: told.tokens.length })}`);
  if (told.problem) trouble("people", { error: `▲ ${told.problem}` });
}

function showChains(list, chains, at) {
  keep(list, chains, () => make("li"), (item, { gateway, whole, text, troubles }) => {
    const sign = { true: "✓ ", false: "▲ " }[whole] ?? "";
    const words = [`${sign}${gateway ? `${gateway}: ` : ""}${text}`, ...troubles, t("people.checked_at", { time: clock(at / MICRO) })];
    say(item, words.join(" · "));
    mark(item, whole === false ? "off" : "");
  });
}

async function checkChains() {
  const told = await asked("api/chains");
  if (told.error) {
    for (const name of ["audit", "looks"]) showChains($(`${name}-chains`), [{ gateway: "", whole: null, text: t("people.not_checked"), troubles: [told.error] }], Date.now() * 1000);
    return;
  }
  showChains($("audit-chains"), told.audit, told.at_us);
  showChains($("looks-chains"), [told.access_log], told.at_us);
}

// From the first to the last moment of a day where the reader is, as they read the times in the table.
function within(name) {
  if (!name) return {};
  const [year, month, date] = name.split("-").map(Number);
  return { from_us: new Date(year, month - 1, date).getTime() * 1000, to_us: new Date(year, month - 1, date + 1).getTime() * 1000 };
}

// One of the two records: what is chosen of it, fifty entries, and those before them.
class Entries {
  constructor(name, path, cellsOf) {
    Object.assign(this, { name, path, cellsOf, older: "", turn: 0 });
    this.form = $(`${name}-choices`);
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.load();
    });
    this.form.addEventListener("change", () => this.load());
    $(`${name}-older`).addEventListener("click", async () => {
      await this.load(this.older);
      $(`${name}-region`).focus();
    });
  }

  async load(before = "") {
    const mine = this.turn += 1;
    const { kind, day: date } = Object.fromEntries(new FormData(this.form));
    const query = new URLSearchParams({ kind, before, ...within(date) });
    const told = await asked(`${this.path}?${query}`);
    if (mine !== this.turn) return; // asked again since
    trouble(this.name, told);
    if (told.error) {
      say($(`${this.name}-count`), "");
      return;
    }
    this.older = told.older;
    $(`${this.name}-older`).disabled = !told.older;
    this.#choices(told.kinds);
    rows($(this.name), told.entries, this.cellsOf);
    const n = told.entries.length;
    say($(`${this.name}-count`), n ? t("people.from_to", { n, first: moment(told.entries[0].time_us), last: moment(told.entries[n - 1].time_us) }) : t("people.nothing"));
  }

  #choices(kinds) {
    const select = this.form.elements.kind;
    const chosen = select.value;
    const all = chosen && !kinds.includes(chosen) ? [...kinds, chosen] : kinds;
    select.replaceChildren(select.options[0], ...all.map((kind) => make("option", { value: kind, lang: "en" }, kind.replaceAll("-", " "))));
    select.value = chosen;
  }
}

// As it stands in the record, in whatever language the page is: the records are English.
const recorded = (text) => (text ? [make("span", { lang: "en" }, text)] : "");
const inWords = (kind) => recorded(kind.replaceAll("-", " "));

function whom(people) {
  const names = people.map(({ bed, subject }) => [bed, subject].filter(Boolean).join(": ")).filter(Boolean);
  if (names.length <= SHOWN_PEOPLE) return names.join(", ");
  return [make("details", {}, make("summary", {}, t("people.count_people", { n: names.length })), names.join(", "))];
}

const audit = new Entries("audit", "api/audit", (one) => [
  moment(one.time_us), recorded(one.who), inWords(one.what), one.bed, one.subject, recorded(one.text), one.gateway,
]);
const looks = new Entries("looks", "api/access-log", (one) => [
  moment(one.time_us), one.who, roleWords(one.role), one.address, inWords(one.what), whom(one.people), recorded(one.text),
]);

follow("?view=people", () => {}); // clock, gateway and what ends a session, as on every page
await signedIn;
await Promise.all([showPeople(), audit.load(), looks.load(), checkChains()]);
