// The official `openai` package for Node, sound and images: one document on standard output.
import OpenAI, { toFile } from "openai";
import { KEY } from "./asking.mjs";

const [url, model, ...names] = process.argv.slice(2);
const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: KEY, maxRetries: 0 });
const sound = () => toFile(Buffer.alloc(40_000, 0xff), "train.mp3", { type: "audio/mpeg" });
const png = (name) => toFile(Buffer.from("\x89PNG", "latin1"), name, { type: "image/png" });
const text = "The train now standing at platform nine.";
const drawn = (made) => made.data.map((one) => Boolean(one.b64_json));

const calls = {
  // The file stands before the model's name: the router must read on.
  transcription: async () =>
    (await client.audio.transcriptions.create({ file: await sound(), model })).text,
  streamed_transcription: async () => {
    const stream = await client.audio.transcriptions.create({
      file: await sound(),
      model,
      stream: true,
    });
    let said = "";
    for await (const event of stream) if (event.type.endsWith(".delta")) said += event.delta;
    return said;
  },
  subtitles: async () =>
    (
      await client.audio.transcriptions.create({
        file: await sound(),
        model,
        response_format: "vtt",
      })
    ).split("\n")[0],
  translation: async () =>
    (await client.audio.translations.create({ file: await sound(), model })).text,
  speech: async () => {
    const spoken = await client.audio.speech.create({ model, voice: "alloy", input: text });
    return (await spoken.arrayBuffer()).byteLength;
  },
  image: async () => drawn(await client.images.generate({ model, prompt: "A train", n: 2 })),
  streamed_image: async () => {
    const stream = await client.images.generate({
      model,
      prompt: "A train",
      stream: true,
      partial_images: 2,
    });
    const types = [];
    for await (const event of stream) types.push(event.type);
    return types;
  },
  image_edit: async () =>
    drawn(
      await client.images.edit({
        image: [await png("a.png"), await png("b.png")],
        model,
        prompt: "At night",
      }),
    ),
  image_variation: async () =>
    drawn(await client.images.createVariation({ image: await png("a.png"), model })),
  refused: async () => {
    try {
      await client.images.generate({ model: `not-${model}`, prompt: "A train" });
    } catch (error) {
      return error.status;
    }
    return null;
  },
};

const told = {};
for (const name of names.length ? names : Object.keys(calls)) told[name] = await calls[name]();
console.log(JSON.stringify(told));
