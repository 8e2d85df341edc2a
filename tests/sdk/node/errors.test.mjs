// openai for Node: which error class an answer becomes.
import assert from "node:assert/strict";
import test from "node:test";

import { OpenAI, client, gatewayTest, makeClient, target } from "./client.mjs";

const messages = [{ role: "user", content: "Hello" }];
const ask = (model, from = client, extra = {}) => from.chat.completions.create({ model, messages, ...extra });

/** The error that `promise` ends with, which must be of the class. */
const failure = async (promise, kind) => {
  const error = await promise.then(
    (answer) => assert.fail(`no error but ${JSON.stringify(answer)}`),
    (thrown) => thrown,
  );
  assert.ok(error instanceof kind, `${error?.constructor?.name} ${error} instead of ${kind.name}`);
  return error;
};

/** Headers were a plain object before version 5. */
const header = (error, name) => (error.headers.get ? error.headers.get(name) : error.headers[name]);

test("wrong key", async () => {
  const error = await failure(ask("gpt-4o-mini", makeClient("sk-wrong")), OpenAI.AuthenticationError);
  assert.equal(error.code, "invalid_api_key");
  assert.ok(!error.message.includes("sk-wrong"));
  assert.ok(header(error, "x-request-id"));
});

gatewayTest("unknown model", async () => {
  const error = await failure(ask("no-such-model"), OpenAI.NotFoundError);
  assert.equal(error.code, "model_not_found");
});

gatewayTest("model not allowed", async () => {
  await failure(ask("forbidden-model"), OpenAI.PermissionDeniedError);
});

test("bad request", async () => {
  const error = await failure(ask("status-400"), OpenAI.BadRequestError);
  assert.match(error.message, /The request is invalid\./);
});

test("unprocessable", async () => {
  await failure(ask("status-422"), OpenAI.UnprocessableEntityError);
});

test("rate limited by the provider", async () => {
  const error = await failure(ask("status-429"), OpenAI.RateLimitError);
  const seconds = Number(header(error, "retry-after"));
  assert.ok(seconds >= 1 && seconds <= 59, `retry-after ${seconds}`);
});

test("a retry waits as told", async () => {
  const started = performance.now();
  const error = await failure(ask("status-429", makeClient(target.key, { maxRetries: 1 })), OpenAI.RateLimitError);
  const waited = performance.now() - started;
  const told = Math.min(1000, Number(header(error, "retry-after")) * 1000);
  assert.ok(waited >= told, `waited ${waited} ms of ${told}`);
});

gatewayTest("limited key", async () => {
  const limited = makeClient(target.limitedKey);
  const many = async () => {
    for (let i = 0; i < 4; ++i) await ask("gpt-4o-mini", limited);
  };
  const error = await failure(many(), OpenAI.RateLimitError);
  const seconds = Number(header(error, "retry-after"));
  assert.ok(seconds >= 1 && seconds <= 59, `retry-after ${seconds}`);
  assert.equal(header(error, "x-ratelimit-limit-requests"), "2");
});

test("provider fails", async () => {
  const error = await failure(ask("status-500"), OpenAI.InternalServerError);
  assert.ok(error.status >= 500);
  assert.ok(header(error, "x-request-id"));
});

test("provider fails before a stream", async () => {
  await failure(ask("status-503", client, { stream: true }), OpenAI.InternalServerError);
});
