// Answers from the cache in the form in which they did not come: the client's own accumulators rebuild the same object.
import assert from "node:assert/strict";

import { client, gatewayTest } from "./client.mjs";

const model = "cached:rich";
const ask = (content) => [{ role: "user", content }];
const parameters = { type: "object", properties: {} };
const tools = ["look_up", "weather"].map((name) => ({ type: "function", function: { name, parameters } }));
const questions = {
  text: { messages: ask("Replay to Node.") },
  logprobs: { messages: ask("Replay to Node."), logprobs: true },
  choices: { messages: ask("Replay to Node."), n: 2 },
  refusal: { messages: ask("Replay no to Node."), model: "cached:refuse" },
  tools: { messages: ask("Replay to Node: call tools."), tools },
};

const completions = client.chat.completions.stream ? client.chat.completions : client.beta.chat.completions;
const streamed = (question) =>
  completions.stream({ ...question, stream_options: { include_usage: true } }).finalChatCompletion();

/** Without what differs from one time to the next, what the accumulators add, and what says nothing: null in one form is
 * absent in the other, and a stream begins every message with empty content. Of a member that it does not know this
 * client keeps the last delta alone: what reasoning it has depends on where the provider cut it. */
const said = (answer, top = true) => {
  if (Array.isArray(answer)) return answer.map((value) => said(value, false));
  if (answer === null || typeof answer !== "object") return answer;
  const added = ["reasoning_content", "parsed", "parsed_arguments", ...("function" in answer ? ["index"] : [])];
  const fresh = top ? ["id", "created", "_request_id"] : added;
  const members = Object.entries(answer)
    .filter(([name]) => !fresh.includes(name))
    .map(([name, value]) => [name, said(value, false)])
    .filter(([, value]) => value !== null && value !== undefined && value !== "" && value !== "" && !(Array.isArray(value) && value.length === 0));
  return Object.fromEntries(members.sort(([a], [b]) => (a < b ? -1 : 1)));
};

// Each version of the client asks its own questions, so that its first answer is none of another's.
const version = process.env.TOLLGATE_SDK_NODE_PACKAGE;
for (const [name, question] of Object.entries(questions)) {
  for (const first of ["json", "stream"]) {
    gatewayTest(`chat with ${name} is the same from either form, ${first} first`, async () => {
      const asked = { model, stop: [`${version} ${first}`], ...question };
      const plain = () => client.chat.completions.create(asked);
      const direct = first === "json" ? await plain() : await streamed(asked);
      const told = first === "json" ? await streamed(asked) : await plain();
      assert.deepEqual(said(told), said(direct));
      assert.notEqual(told.id, direct.id);
      const { data, response } = await client.chat.completions.create(asked).withResponse();
      assert.match(response.headers.get("cache-status"), /hit/);
      assert.deepEqual(said(data), said(direct));
    });
  }
}
