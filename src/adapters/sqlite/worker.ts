/**
 * The entry of a store's threads: takes one request after the other and answers it. Which of the two threads
 * this is stands in `workerData`.
 */
import { parentPort, workerData } from "node:worker_threads";
import { invariant, type SynodError, toSynodError } from "../../errors.ts";
import { type AnswerMessage, type LogMessage, packError, type RequestMessage } from "./messages.ts";
import { openReader } from "./reader.ts";
import { openWriter } from "./writer.ts";

type Operations = Record<string, (request: never) => unknown>;

const port = parentPort;
invariant(port !== null, "worker.ts runs in a thread of its own");

let operations: Operations = { open: workerData === "writer" ? startWriting : startReading };
let afterwards: (() => LogMessage) | undefined;
let broken: () => SynodError | undefined = () => undefined;

function startWriting(creation: Parameters<typeof openWriter>[0]): unknown {
  const writer = openWriter(creation);
  operations = { ...writer.operations };
  afterwards = writer.afterwards;
  broken = writer.broken;
  return writer.identity;
}

function startReading(request: Parameters<typeof openReader>[0]): void {
  operations = { ...openReader(request) };
}

function answerTo({ operation, request }: RequestMessage): AnswerMessage {
  try {
    const run = operations[operation] as ((request: unknown) => unknown) | undefined;
    invariant(run !== undefined, `the thread knows ${operation}`);
    return { ok: true, answer: run(request) };
  } catch (thrown) {
    return { ok: false, error: packError(toSynodError(thrown)), broken: broken() !== undefined };
  }
}

port.on("message", (message: RequestMessage) => {
  port.postMessage(answerTo(message));
  if (message.operation === "close") port.close();
  else if (afterwards !== undefined) port.postMessage(afterwards());
});
