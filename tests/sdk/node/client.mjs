// What the Node clients are tested against, from the environment that the runner sets.
import test from "node:test";
import { pathToFileURL } from "node:url";

const value = (name) => {
  const found = process.env[`TOLLGATE_SDK_${name}`];
  if (found === undefined) throw new Error(`TOLLGATE_SDK_${name} is not set`);
  return found;
};

export const target = {
  baseURL: value("BASE_URL"),
  key: value("KEY"),
  fileKey: value("FILE_KEY"),
  limitedKey: value("LIMITED_KEY"),
  direct: value("DIRECT") === "1",
};

// By path: the packages lie in a cache, not beside this file.
const sdk = await import(pathToFileURL(`${value("NODE_PACKAGE")}/index.mjs`));
export const OpenAI = sdk.default;
export const toFile = sdk.toFile;

export const makeClient = (apiKey, options = {}) =>
  new OpenAI({ baseURL: target.baseURL, apiKey, maxRetries: 0, timeout: 30_000, ...options });

export const client = makeClient(target.key);
export const fileClient = makeClient(target.fileKey);

/** A test that only a gateway can pass. */
export const gatewayTest = (name, body) =>
  test(name, { skip: target.direct ? "only a gateway does this" : false }, body);

export const collect = async (stream) => {
  const found = [];
  for await (const item of stream) found.push(item);
  return found;
};
