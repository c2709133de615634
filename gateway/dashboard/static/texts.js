// The texts of this page in the language of whoever looks: the server has put those that its scripts say into the page.

const given = JSON.parse(document.getElementById("texts")?.textContent ?? "{}");
const plurals = new Intl.PluralRules(given.locale ?? "en-GB");

export const LANGUAGE = given.code ?? "en";
export const LOCALE = given.locale ?? "en-GB";
export const POINT = given.decimal ?? "."; // between a number and its decimals
export const REASONS = given.reasons ?? {}; // why a number is doubtful, by what the analysis sends

// A text by its key; one that counts has a form for each kind of number, and `n` says which.
export function t(key, values) {
  const found = given.texts?.[key] ?? key;
  const form = typeof found === "string" ? found : found[plurals.select(Number(values.n))] ?? found.other;
  return values ? form.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "") : form;
}

// Texts of one section, where a word from the server says which: all of it is in the page.
export const all = (section) => (name, values) => t(`${section}.${name}`, values);

// Whether the page has a text of that key: an English one has none of what the gateway says in English itself.
export const has = (key) => key in (given.texts ?? {});

// The address of the API from which it answers in the language of the page, also where it says no: without, it is English.
export const inMyLanguage = (address) => (LANGUAGE === "en" ? address : `${address}${address.includes("?") ? "&" : "?"}language=${LANGUAGE}`);

// Another language keeps what else the address says: the gateway, the order of the beds.
for (const link of document.querySelectorAll("a[data-language]")) {
  link.addEventListener("click", () => {
    const query = new URLSearchParams(location.search);
    query.set("language", link.dataset.language);
    link.href = `?${query}`;
  });
}
