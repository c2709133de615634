// What a driver says of a device: in the language of the page where it is one of the texts, in English it comes as it is.

import { all, has } from "./texts.js";

const [errors, advices] = [all("device_errors"), all("device_advice")];

// What is wrong, empty where the language has no words for it; `said` names the text and holds what stands in it.
export const errorWords = (said) => (said && has(`device_errors.${said.key}`) ? errors(said.key, said.values) : "");

// What to do about it.
export const adviceWords = ({ advice, advice_key: key }) => (key && has(`device_advice.${key}`) ? advices(key) : advice);
