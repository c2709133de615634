// Notices: what staff should look at. Word, shape and colour say how soon; nothing flashes and nothing sounds. What
// somebody has seen, or what is paused, stands below the rest, quieter, with the name of whoever said so.

import { adviceWords, errorWords } from "./device_words.js";
import { keep, make, mark, say, speak } from "./dom.js";
import { now } from "./live.js";
import { LANGUAGE, all, has, t } from "./texts.js";
import { when } from "./words.js";

const PRIORITIES = { medium: ["▲", t("notices.medium")], low: ["◆", t("notices.low")] };
const LISTED = 4; // in a strip: more would push the beds off the page

export const priority = (notice) => PRIORITIES[notice.priority] ?? PRIORITIES.low;
export const isQuiet = (notice) => Boolean(notice.acknowledged || notice.paused);
// A kind of notice, what one says and what to do. In English it is as the gateway tells it; so is in every language what
// has words of its own, such as an error of a device.
const [kinds, says, advices] = [all("notice_kinds"), all("notice_says"), all("notice_advice")];
const named = (code) => code.replaceAll("-", "_");
export const kindWords = (code) => (has(`notice_kinds.${named(code)}`) ? kinds(named(code)) : code.replaceAll("-", " "));
const isSaid = ({ said }) => Boolean(said) && has(`notice_says.${said.key}`);

export function textOf(notice) {
  if (!isSaid(notice)) return notice.text;
  const { key, values, why_said: why } = notice.said;
  const words = says(key, { ...values, ...(why ? { why: errorWords(why) || values.why } : {}) });
  return notice.gateway ? `${notice.gateway}: ${words}` : words;
}

const adviceOf = (notice) => (has(`notice_advice.${named(notice.code)}`) && !notice.said?.own_advice ? advices(named(notice.code)) : adviceWords(notice));
export const at = (us) => when(us / 1e6, now(), false);

function makeNotice() {
  return make("li", { className: "notice" },
    make("p", { className: "priority" }, make("span", { ariaHidden: "true" }), " ", make("span")),
    make("p", { className: "words" }, make("b"), " ", make("span", { className: "advice" }), " ", make("span", { className: "answer" })),
    make("div", { className: "answers" }));
}

export function answerWords({ acknowledged, paused }) {
  if (acknowledged) return acknowledged.why ? t("notices.seen_by_at", { by: acknowledged.by, at: at(acknowledged.at_us), why: acknowledged.why }) : t("notices.seen_by_at_2", { by: acknowledged.by, at: at(acknowledged.at_us) });
  if (!paused) return "";
  return paused.why ? t("notices.paused_by_until", { by: paused.by, at: at(paused.until_us), why: paused.why }) : t("notices.paused_by_until_2", { by: paused.by, at: at(paused.until_us) });
}

const button = () => make("button", { type: "button" });

function updateButton(node, { text, label, act }) {
  say(node, text);
  if (node.getAttribute("aria-label") !== label) node.setAttribute("aria-label", label);
  node.onclick = act;
}

function updateNotice(item, notice, answers) {
  const [shape, word] = priority(notice);
  const quiet = isQuiet(notice);
  mark(item, `notice ${notice.priority === "medium" ? "medium" : "low"}${quiet ? " quiet" : ""}`);
  const [tag, words, offered] = item.children;
  say(tag.children[0], quiet ? "✓" : shape);
  say(tag.children[1], word);
  say(words.children[0], `${textOf(notice)}.`);
  words.children[0].lang = LANGUAGE === "en" || isSaid(notice) ? "" : "en"; // the gateway's own words
  say(words.children[1], quiet ? "" : adviceOf(notice));
  say(words.children[2], answerWords(notice));
  keep(offered, answers(notice), button, updateButton);
}

let known = null;

// Fills a section that holds a list and a line for what did not fit; `answers(notice)` gives the buttons of each.
export function showNotices(section, notices, most = LISTED, answers = () => []) {
  section.hidden = notices.length === 0;
  keep(section.querySelector("ul"), notices.slice(0, most), makeNotice, (item, notice) => updateNotice(item, notice, answers));
  const left = notices.length - most;
  const more = section.querySelector(".more");
  more.hidden = left <= 0;
  say(more, left > 0 ? t("notices.more_devices_page", { left }) : "");
  const fresh = known && notices.find((notice) => !known.has(notice.id) && !isQuiet(notice));
  if (fresh) speak(t("notices.notice_priority", { priority: priority(fresh)[1].toLowerCase(), fresh: textOf(fresh) }), { first: true });
  known = new Set(notices.map((notice) => notice.id));
}

// One line for a tile: the notice itself if there is one, their number if there are more; and whether all are quiet.
export function inOneLine(notices) {
  if (!notices.length) return ["", "", false];
  const loud = notices.filter((notice) => !isQuiet(notice));
  if (!loud.length) return ["✓", notices.length === 1 ? `${textOf(notices[0])}. ${answerWords(notices[0])}` : t("notices.notices_seen_or_paused", { n: notices.length }), true];
  const [shape, word] = priority(loud[0]);
  return [shape, loud.length === 1 ? `${word}: ${textOf(loud[0])}` : t("notices.notices", { n: loud.length }), false];
}
