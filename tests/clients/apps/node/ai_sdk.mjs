// Vercel's `ai` with its providers for OpenAI (Responses and chat) and Anthropic; which one, says the first argument.
import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAI } from "@ai-sdk/openai";
import { Output, generateText, jsonSchema, streamText, tool } from "ai";
import { FUNCTIONS, KEY, PERSON, PIXEL, QUESTION, WEATHER, call, run } from "./asking.mjs";

const kind = process.argv[2];
const tools = Object.fromEntries(
  Object.entries(FUNCTIONS).map(([name, [description, schema]]) => [
    name,
    tool({ description, inputSchema: jsonSchema(schema) }),
  ]),
);

const modelOf = (url, name) => {
  const options = { baseURL: `${url}/v1`, apiKey: KEY };
  if (kind === "anthropic") return createAnthropic(options)(name);
  const openai = createOpenAI(options);
  return kind === "chat" ? openai.chat(name) : openai(name);
};
const request = (url, model, more) => ({
  model: modelOf(url, model),
  maxRetries: 0,
  maxOutputTokens: 256,
  ...more,
});

const read = (made) => ({
  text: made.text,
  calls: made.toolCalls.map((one) => call(one.toolName, one.input)),
  finish: made.finishReason,
  input_tokens: made.usage?.inputTokens ?? null,
  output_tokens: made.usage?.outputTokens ?? null,
});

const ask = async (url, model, more = { prompt: QUESTION }) =>
  read(await generateText(request(url, model, more)));

const streamed = async (url, model, more = { prompt: QUESTION }) => {
  let failed;
  const onError = ({ error }) => {
    failed = error;
  };
  const made = streamText({ ...request(url, model, more), onError });
  let finish = null;
  for await (const part of made.fullStream) {
    if (part.type === "error") failed = part.error;
    if (part.type === "finish") finish = part.finishReason;
  }
  if (failed) throw failed;
  const [text, toolCalls, usage] = await Promise.all([made.text, made.toolCalls, made.usage]);
  return read({ text, toolCalls, usage, finishReason: finish });
};

const image = [
  {
    role: "user",
    content: [
      { type: "text", text: QUESTION },
      { type: "image", image: PIXEL, mediaType: "image/png" },
    ],
  },
];
await run({
  plain: (url, model) => ask(url, model),
  stream: (url, model) => streamed(url, model),
  tools: (url, model) => ask(url, model, { prompt: WEATHER, tools }),
  streamed_tools: (url, model) => streamed(url, model, { prompt: WEATHER, tools }),
  structured: async (url, model) => {
    const output = Output.object({ schema: jsonSchema(PERSON) });
    const made = await generateText(request(url, model, { prompt: QUESTION, output }));
    return { parsed: made.output };
  },
  image: (url, model) => ask(url, model, { messages: image }),
});
