// openai for Node: everything that is no conversation.
import assert from "node:assert/strict";
import test from "node:test";

import { OpenAI, client, collect, fileClient, gatewayTest, toFile } from "./client.mjs";

const embedding = "text-embedding-3-small";

test("embeddings: the default base64 and float agree", async () => {
  const input = ["first text", "second text"];
  const decoded = await client.embeddings.create({ model: embedding, input });
  const floats = await client.embeddings.create({ model: embedding, input, encoding_format: "float" });
  assert.equal(decoded.data[0].embedding.length, 16);
  assert.deepEqual(Array.from(decoded.data[0].embedding), floats.data[0].embedding);
  assert.notDeepEqual(decoded.data[0].embedding, decoded.data[1].embedding);
});

test("images", async () => {
  const answer = await client.images.generate({ model: "gpt-image-1", prompt: "a gate", n: 2 });
  assert.equal(answer.data.length, 2);
  const png = Buffer.from(answer.data[0].b64_json, "base64");
  const image = await toFile(png, "gate.png", { type: "image/png" });
  const edited = await client.images.edit({ model: "gpt-image-1", image, prompt: "open it" });
  assert.deepEqual(Buffer.from(edited.data[0].b64_json, "base64"), png);
});

test("speech is binary", async () => {
  const answer = await client.audio.speech.create({ model: "tts-1", voice: "alloy", input: "Good morning" });
  const octets = Buffer.from(await answer.arrayBuffer());
  assert.equal(answer.headers.get("content-type"), "audio/mpeg");
  assert.equal(octets.length, 2048);
  assert.equal(octets.subarray(0, 3).toString(), "ID3");
});

test("transcription as JSON and as text", async () => {
  const audio = () => toFile(Buffer.alloc(5000, "ID3"), "speech.mp3", { type: "audio/mpeg" });
  const answer = await client.audio.transcriptions.create({ model: "whisper-1", file: await audio() });
  const text = await client.audio.transcriptions.create({
    model: "whisper-1",
    file: await audio(),
    response_format: "text",
  });
  assert.equal(String(text).trim(), answer.text);
});

test("moderations", async () => {
  const answer = await client.moderations.create({ model: "omni-moderation-latest", input: ["kill it", "be kind"] });
  assert.deepEqual(answer.results.map((result) => result.flagged), [true, false]);
});

test("models", async () => {
  const models = await collect(await client.models.list());
  assert.ok(models.some((model) => model.id === "gpt-4o-mini"));
  assert.equal((await client.models.retrieve("gpt-4o-mini")).object, "model");
});

test("files: create, list, retrieve, content, delete", async () => {
  const content = Buffer.concat([Buffer.from("line\r\n--not-a-boundary\r\n"), Buffer.from([0, 255, 13, 10])]);
  const file = await toFile(content, "lines.jsonl");
  const created = await fileClient.files.create({ file, purpose: "user_data" });
  assert.equal(created.bytes, content.length);
  assert.ok((await collect(await fileClient.files.list())).some((entry) => entry.id === created.id));
  assert.equal((await fileClient.files.retrieve(created.id)).filename, "lines.jsonl");
  const back = await fileClient.files.content(created.id);
  assert.deepEqual(Buffer.from(await back.arrayBuffer()), content);
  const remove = (fileClient.files.delete ?? fileClient.files.del).bind(fileClient.files);
  assert.ok((await remove(created.id)).deleted);
  await assert.rejects(fileClient.files.retrieve(created.id), OpenAI.NotFoundError);
});

gatewayTest("files without the route", async () => {
  await assert.rejects(client.files.list(), (error) => [403, 404].includes(error.status));
});
