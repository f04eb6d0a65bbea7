// The official `openai` package for Node, Responses.
import OpenAI from "openai";
import { FUNCTIONS, KEY, PERSON, PIXEL, QUESTION, WEATHER, call, run } from "./asking.mjs";

const tools = Object.entries(FUNCTIONS).map(([name, [description, parameters]]) => ({
  type: "function",
  name,
  description,
  parameters,
  strict: true,
}));
const client = (url) => new OpenAI({ baseURL: `${url}/v1`, apiKey: KEY, maxRetries: 0 });

const read = (made) => ({
  text: made.output_text ?? "",
  calls: made.output
    .filter((one) => one.type === "function_call")
    .map((one) => call(one.name, one.arguments)),
  finish: made.status,
  input_tokens: made.usage?.input_tokens ?? null,
  output_tokens: made.usage?.output_tokens ?? null,
  error: made.error && { kind: "response.error", status: null, message: made.error.message },
});

const ask = async (url, model, input = QUESTION, more = {}) =>
  read(await client(url).responses.create({ model, input, ...more }));

const streamed = async (url, model, input = QUESTION, more = {}) =>
  read(await client(url).responses.stream({ model, input, ...more }).finalResponse());

const iterated = async (url, model) => {
  const stream = await client(url).responses.create({ model, input: QUESTION, stream: true });
  const got = { text: "", finish: null, error: null };
  for await (const event of stream) {
    if (event.type === "response.output_text.delta") got.text += event.delta;
    else if (["response.completed", "response.incomplete"].includes(event.type))
      got.finish = event.response.status;
    else if (["response.failed", "error"].includes(event.type))
      got.error = { kind: event.type, status: null, message: JSON.stringify(event).slice(0, 400) };
  }
  return got;
};

const picture = { type: "input_image", image_url: `data:image/png;base64,${PIXEL}`, detail: "auto" };
const shown = [{ role: "user", content: [{ type: "input_text", text: QUESTION }, picture] }];
const format = { type: "json_schema", name: "person", schema: PERSON, strict: true };
await run({
  plain: (url, model) => ask(url, model),
  stream: (url, model) => streamed(url, model),
  iterate: iterated,
  tools: (url, model) => ask(url, model, WEATHER, { tools }),
  streamed_tools: (url, model) => streamed(url, model, WEATHER, { tools }),
  structured: (url, model) => ask(url, model, QUESTION, { text: { format } }),
  image: (url, model) => ask(url, model, shown),
});
