// openai for Node: chat, completions, responses.
import assert from "node:assert/strict";
import test from "node:test";

import { client, collect, fileClient } from "./client.mjs";

const model = "gpt-4o-mini";
const messages = [{ role: "user", content: "Say something about gateways." }];
const calling = [{ role: "user", content: "Please call tool look_up." }];
const parameters = { type: "object", properties: { query: { type: "string" } } };
const tools = [{ type: "function", function: { name: "look_up", parameters } }];
const words = (text) => text.split(" ").length;
const joined = (chunks) => chunks.map((chunk) => chunk.choices[0]?.delta?.content ?? "").join("");

test("chat plain", async () => {
  const answer = await client.chat.completions.create({ model, messages });
  assert.equal(answer.object, "chat.completion");
  assert.equal(answer.choices[0].finish_reason, "stop");
  assert.equal(answer.usage.completion_tokens, words(answer.choices[0].message.content));
  assert.ok(answer._request_id);
});

test("chat stream equals plain", async () => {
  const plain = await client.chat.completions.create({ model, messages });
  const chunks = await collect(await client.chat.completions.create({ model, messages, stream: true }));
  assert.equal(joined(chunks), plain.choices[0].message.content);
  assert.equal(chunks.at(-1).choices[0].finish_reason, "stop");
  assert.deepEqual(chunks.filter((chunk) => "usage" in chunk), [], "usage was not asked for");
});

test("chat stream with usage", async () => {
  const options = { model, messages, stream: true, stream_options: { include_usage: true } };
  const chunks = await collect(await client.chat.completions.create(options));
  assert.deepEqual(chunks.at(-1).choices, []);
  assert.equal(chunks.at(-1).usage.completion_tokens, words(joined(chunks)));
});

test("chat stream left early", async () => {
  const stream = await client.chat.completions.create({ model, messages, stream: true });
  for await (const chunk of stream) {
    assert.equal(chunk.choices[0].delta.role, "assistant");
    break;
  }
  assert.ok((await client.chat.completions.create({ model, messages })).id);
});

test("chat stream helper gathers the whole answer", async () => {
  const helper = (client.chat.completions.stream ?? client.beta?.chat?.completions?.stream)?.bind(
    client.chat.completions.stream ? client.chat.completions : client.beta.chat.completions,
  );
  assert.ok(helper, "this version has a stream helper");
  const final = await helper({ model, messages }).finalChatCompletion();
  const plain = await client.chat.completions.create({ model, messages });
  assert.equal(final.choices[0].message.content, plain.choices[0].message.content);
});

test("many at once are not mixed up", async () => {
  const ask = (i) => client.chat.completions.create({ model, messages: [{ role: "user", content: `Question ${i}` }] });
  const numbers = Array.from({ length: 16 }, (_, i) => i);
  const first = await Promise.all(numbers.map(ask));
  const again = [];
  for (const i of numbers) again.push(await ask(i));
  const text = (answer) => answer.choices[0].message.content;
  assert.deepEqual(first.map(text), again.map(text));
});

test("tools plain and streamed", async () => {
  const plain = await client.chat.completions.create({ model, messages: calling, tools });
  const [call] = plain.choices[0].message.tool_calls;
  assert.equal(plain.choices[0].finish_reason, "tool_calls");
  assert.equal(JSON.parse(call.function.arguments).count, 1);
  const chunks = await collect(await client.chat.completions.create({ model, messages: calling, tools, stream: true }));
  const pieces = chunks.flatMap((chunk) => chunk.choices[0].delta.tool_calls ?? []);
  assert.deepEqual(pieces.map((piece) => piece.id).filter(Boolean), [call.id]);
  assert.equal(pieces.map((piece) => piece.function.arguments).join(""), call.function.arguments);
});

test("legacy completions", async () => {
  const request = { model: "gpt-3.5-turbo-instruct", prompt: "Once upon a time", max_tokens: 5 };
  const answer = await client.completions.create(request);
  assert.equal(words(answer.choices[0].text), 5);
});

test("legacy completions of a chat model", async () => {
  const request = { model: "text-davinci-003", prompt: "Once upon a time", max_tokens: 5 };
  const answer = await client.completions.create(request);
  const chunks = await collect(await client.completions.create({ ...request, stream: true }));
  assert.equal(chunks.map((chunk) => chunk.choices[0]?.text ?? "").join(""), answer.choices[0].text);
});

test("responses plain and streamed", async () => {
  const request = { model, input: "Say something.", store: false };
  const plain = await client.responses.create(request);
  assert.equal(plain.status, "completed");
  assert.equal(plain.usage.output_tokens, words(plain.output_text));
  const events = await collect(await client.responses.create({ ...request, stream: true }));
  assert.deepEqual(events.map((event) => event.sequence_number), [...events.keys()]);
  assert.equal(events[0].type, "response.created");
  assert.equal(events.at(-1).type, "response.completed");
  const deltas = events.filter((event) => event.type === "response.output_text.delta").map((event) => event.delta);
  assert.equal(deltas.join(""), plain.output_text);
});

test("responses tool", async () => {
  const tool = { type: "function", name: "look_up", parameters, strict: false };
  const request = { model, input: "Please call tool look_up.", tools: [tool], store: false };
  const answer = await client.responses.create(request);
  assert.equal(answer.output[0].type, "function_call");
  assert.equal(JSON.parse(answer.output[0].arguments).count, 1);
});

test("responses stored", async () => {
  const answer = await fileClient.responses.create({ model, input: "Keep this." });
  const found = await fileClient.responses.retrieve(answer.id);
  assert.deepEqual(found.output, answer.output);
});
