// Notices: what staff should look at. Word, shape and colour say how soon; nothing flashes and nothing sounds. What
// somebody has seen, or what is paused, stands below the rest, quieter, with the name of whoever said so.

import { keep, make, mark, say, speak } from "./dom.js";
import { clock } from "./words.js";

const PRIORITIES = { medium: ["▲", "Medium"], low: ["◆", "Low"] };
const LISTED = 4; // in a strip: more would push the beds off the page

export const priority = (notice) => PRIORITIES[notice.priority] ?? PRIORITIES.low;
export const isQuiet = (notice) => Boolean(notice.acknowledged || notice.paused);
export const at = (us) => clock(us / 1e6, false);

function makeNotice() {
  return make("li", { className: "notice" },
    make("p", { className: "priority" }, make("span", { ariaHidden: "true" }), " ", make("span")),
    make("p", { className: "words" }, make("b"), " ", make("span", { className: "advice" }), " ", make("span", { className: "answer" })),
    make("div", { className: "answers" }));
}

export function answerWords({ acknowledged, paused }) {
  if (acknowledged) return `Seen by ${acknowledged.by} at ${at(acknowledged.at_us)}${acknowledged.why ? `: ${acknowledged.why}` : ""}.`;
  return paused ? `Paused by ${paused.by} until ${at(paused.until_us)}${paused.why ? `: ${paused.why}` : ""}.` : "";
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
  say(words.children[0], `${notice.text}.`);
  say(words.children[1], quiet ? "" : notice.advice);
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
  say(more, left > 0 ? `And ${left} more on the Devices page.` : "");
  const fresh = known && notices.find((notice) => !known.has(notice.id) && !isQuiet(notice));
  if (fresh) speak(`Notice, ${priority(fresh)[1].toLowerCase()} priority: ${fresh.text}`, { notice: true });
  known = new Set(notices.map((notice) => notice.id));
}

// One line for a tile: the notice itself if there is one, their number if there are more; and whether all are quiet.
export function inOneLine(notices) {
  if (!notices.length) return ["", "", false];
  const loud = notices.filter((notice) => !isQuiet(notice));
  if (!loud.length) return ["✓", notices.length === 1 ? `${notices[0].text}. ${answerWords(notices[0])}` : `${notices.length} notices, seen or paused`, true];
  const [shape, word] = priority(loud[0]);
  return [shape, loud.length === 1 ? `${word}: ${loud[0].text}` : `${loud.length} notices`, false];
}
