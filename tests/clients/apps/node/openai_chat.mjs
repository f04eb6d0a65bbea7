// The official `openai` package for Node, chat completions.
import OpenAI from "openai";
import { FUNCTIONS, KEY, PERSON, PIXEL, QUESTION, WEATHER, call, run } from "./asking.mjs";

const tools = Object.entries(FUNCTIONS).map(([name, [description, parameters]]) => ({
  type: "function",
  function: { name, description, parameters },
}));
const client = (url) => new OpenAI({ baseURL: `${url}/v1`, apiKey: KEY, maxRetries: 0 });
const said = (content) => [{ role: "user", content }];

const read = (made) => ({
  text: made.choices[0].message.content ?? "",
  calls: (made.choices[0].message.tool_calls ?? []).map((one) =>
    call(one.function.name, one.function.arguments),
  ),
  finish: made.choices[0].finish_reason,
  input_tokens: made.usage?.prompt_tokens ?? null,
  output_tokens: made.usage?.completion_tokens ?? null,
});

const ask = async (url, model, content = QUESTION, more = {}) =>
  read(await client(url).chat.completions.create({ model, messages: said(content), ...more }));

const streamed = async (url, model, content = QUESTION, more = {}) => {
  const options = { stream: true, stream_options: { include_usage: true }, ...more };
  const stream = client(url).chat.completions.stream({ model, messages: said(content), ...options });
  return read(await stream.finalChatCompletion());
};

const iterated = async (url, model) => {
  const stream = await client(url).chat.completions.create({
    model,
    messages: said(QUESTION),
    stream: true,
  });
  let [text, finish] = ["", null];
  for await (const chunk of stream) {
    text += chunk.choices[0]?.delta.content ?? "";
    finish = chunk.choices[0]?.finish_reason ?? finish;
  }
  return { text, finish };
};

const json_schema = { name: "person", schema: PERSON, strict: true };
const picture = { type: "image_url", image_url: { url: `data:image/png;base64,${PIXEL}` } };
await run({
  plain: (url, model) => ask(url, model),
  stream: (url, model) => streamed(url, model),
  iterate: iterated,
  tools: (url, model) => ask(url, model, WEATHER, { tools }),
  streamed_tools: (url, model) => streamed(url, model, WEATHER, { tools }),
  structured: (url, model) =>
    ask(url, model, QUESTION, { response_format: { type: "json_schema", json_schema } }),
  image: (url, model) => ask(url, model, [{ type: "text", text: QUESTION }, picture]),
});
