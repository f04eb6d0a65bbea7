// What every app here asks, and how it tells what it got: one JSON document a line, as apps/python/_asking.py.
import { createInterface } from "node:readline";

export const QUESTION = "What is six times seven?";
export const WEATHER = "What is it like in Paris?";
export const KEY = "sk-callers-own-canary";
export const PIXEL =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII=";

const parameters = (argument) => ({
  type: "object",
  properties: { [argument]: { type: "string", description: "Which one." } },
  required: [argument],
  additionalProperties: false,
});

export const FUNCTIONS = {
  get_weather: ["The weather of a city.", parameters("city")],
  get_time: ["The time of a zone.", parameters("zone")],
};
export const PERSON = {
  type: "object",
  properties: { name: { type: "string" }, born: { type: "integer" } },
  required: ["name", "born"],
  additionalProperties: false,
};

export const call = (name, given) => ({
  name,
  arguments: typeof given === "string" ? JSON.parse(given || "{}") : given,
});

const told = (error) => {
  let innermost = error;
  while (innermost.cause instanceof Error) innermost = innermost.cause;
  const status = [error, innermost, error.lastError ?? {}]
    .map((one) => one.status ?? one.statusCode)
    .find((one) => typeof one === "number");
  return {
    kind: error.constructor?.name ?? "Error",
    status: status ?? null,
    message: String(error.message).slice(0, 400),
  };
};

/** Answers lines of {"feature", "model"} until the input ends; the router is at POINTSMAN_URL. */
export async function run(features) {
  const url = process.env.POINTSMAN_URL;
  console.log(JSON.stringify(Object.keys(features).sort()));
  for await (const line of createInterface({ input: process.stdin })) {
    const { feature, model } = JSON.parse(line);
    const nothing = { text: "", calls: [], parsed: null, finish: null };
    const counts = { input_tokens: null, output_tokens: null, error: null };
    let got;
    try {
      got = await features[feature](url, model);
    } catch (error) {
      got = { error: told(error) };
    }
    console.log(JSON.stringify({ ...nothing, ...counts, ...got }));
  }
}
