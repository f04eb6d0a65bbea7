// The official `@anthropic-ai/sdk` package.
import Anthropic from "@anthropic-ai/sdk";
import { FUNCTIONS, KEY, PERSON, PIXEL, QUESTION, WEATHER, call, run } from "./asking.mjs";

const tools = Object.entries(FUNCTIONS).map(([name, [description, input_schema]]) => ({
  name,
  description,
  input_schema,
}));
const client = (url) => new Anthropic({ baseURL: url, apiKey: KEY, maxRetries: 0 });
const body = (model, content, more) => ({
  model,
  max_tokens: 256,
  messages: [{ role: "user", content }],
  ...more,
});

const read = (made) => ({
  text: made.content.map((block) => (block.type === "text" ? block.text : "")).join(""),
  calls: made.content
    .filter((block) => block.type === "tool_use")
    .map((block) => call(block.name, block.input)),
  finish: made.stop_reason,
  input_tokens: made.usage.input_tokens,
  output_tokens: made.usage.output_tokens,
});

const ask = async (url, model, content = QUESTION, more = {}) =>
  read(await client(url).messages.create(body(model, content, more)));

const streamed = async (url, model, content = QUESTION, more = {}) =>
  read(await client(url).messages.stream(body(model, content, more)).finalMessage());

const iterated = async (url, model) => {
  const stream = await client(url).messages.create(body(model, QUESTION, { stream: true }));
  const got = { text: "", finish: null };
  for await (const event of stream) {
    if (event.type === "content_block_delta") got.text += event.delta.text ?? "";
    else if (event.type === "message_delta") got.finish = event.delta.stop_reason;
  }
  return got;
};

const source = { type: "base64", media_type: "image/png", data: PIXEL };
await run({
  plain: (url, model) => ask(url, model),
  stream: (url, model) => streamed(url, model),
  iterate: iterated,
  tools: (url, model) => ask(url, model, WEATHER, { tools }),
  streamed_tools: (url, model) => streamed(url, model, WEATHER, { tools }),
  structured: (url, model) =>
    ask(url, model, QUESTION, {
      output_config: { format: { type: "json_schema", schema: PERSON } },
    }),
  image: (url, model) =>
    ask(url, model, [
      { type: "image", source },
      { type: "text", text: QUESTION },
    ]),
  count: async (url, model) => {
    const messages = [{ role: "user", content: QUESTION }];
    const counted = await client(url).messages.countTokens({ model, messages });
    return { input_tokens: counted.input_tokens };
  },
});
