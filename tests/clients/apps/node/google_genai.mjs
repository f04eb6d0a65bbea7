// The official `@google/genai` package.
import { GoogleGenAI } from "@google/genai";
import { FUNCTIONS, KEY, PERSON, PIXEL, QUESTION, WEATHER, call, run } from "./asking.mjs";

const functionDeclarations = Object.entries(FUNCTIONS).map(
  ([name, [description, parametersJsonSchema]]) => ({ name, description, parametersJsonSchema }),
);
const tools = [{ functionDeclarations }];
const client = (url) => new GoogleGenAI({ apiKey: KEY, httpOptions: { baseUrl: url } });

const read = (all) => {
  const got = { text: "", calls: [], finish: null, input_tokens: null, output_tokens: null };
  for (const one of all) {
    for (const candidate of one.candidates ?? []) {
      got.finish = candidate.finishReason ?? got.finish;
      for (const part of candidate.content?.parts ?? []) {
        if (part.text && !part.thought) got.text += part.text;
        if (part.functionCall) got.calls.push(call(part.functionCall.name, part.functionCall.args ?? {}));
      }
    }
    got.input_tokens = one.usageMetadata?.promptTokenCount ?? got.input_tokens;
    got.output_tokens = one.usageMetadata?.candidatesTokenCount ?? got.output_tokens;
  }
  return got;
};

const ask = async (url, model, contents = QUESTION, config = undefined) =>
  read([await client(url).models.generateContent({ model, contents, config })]);

const streamed = async (url, model, contents = QUESTION, config = undefined) => {
  const all = [];
  const stream = await client(url).models.generateContentStream({ model, contents, config });
  for await (const one of stream) all.push(one);
  return read(all);
};

const picture = { inlineData: { data: PIXEL, mimeType: "image/png" } };
await run({
  plain: (url, model) => ask(url, model),
  stream: (url, model) => streamed(url, model),
  tools: (url, model) => ask(url, model, WEATHER, { tools }),
  streamed_tools: (url, model) => streamed(url, model, WEATHER, { tools }),
  structured: (url, model) =>
    ask(url, model, QUESTION, {
      responseMimeType: "application/json",
      responseJsonSchema: PERSON,
    }),
  image: (url, model) => ask(url, model, [picture, { text: QUESTION }]),
  count: async (url, model) => {
    const counted = await client(url).models.countTokens({ model, contents: QUESTION });
    return { input_tokens: counted.totalTokens };
  },
});
