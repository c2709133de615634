// What whoever is signed in may change of the ward, and the sentence where that is nothing.

import { say } from "./dom.js";
import { signedIn } from "./session.js";
import { t } from "./texts.js";
import { roleWords } from "./words.js";

export const mayChange = signedIn.then((session) => session.may ?? []);

export async function rights(place) {
  const { user, role, may = [] } = await signedIn;
  const words = !user ? t("rights.nobody_signed_here_so_nothing")
    : may.length ? "" : t("rights.as_you_see_beds_change", { role: roleWords(role) });
  say(place, words);
  place.hidden = !words;
}
