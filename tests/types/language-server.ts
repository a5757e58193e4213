/**
 * The compiler's language server, asked as an editor asks it (Language Server Protocol 3.17 over stdio): what
 * stands in the hover at this place?
 */
import assert from "node:assert/strict";
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { pathToFileURL } from "node:url";
import { compiler } from "./project.ts";

const answerWithinMs = 30_000;

export interface LanguageServer extends AsyncDisposable {
  /**
   * The type in the hover over the first character of `what` inside the first line that contains `within`,
   * without its documentation, on one line.
   */
  hover(file: string, within: string, what: string): Promise<string>;
}

/** In Markdown the type stands in a block of its own, apart from its documentation. */
const capabilities = { textDocument: { hover: { contentFormat: ["markdown"] } } };

type Server = ChildProcessByStdio<Writable, Readable, null>;
type Ask = (method: string, params?: unknown) => Promise<unknown>;
type Tell = (method: string, params?: unknown) => void;

export async function startLanguageServer(directory: string): Promise<LanguageServer> {
  const server = spawn(process.execPath, [compiler, "--lsp", "--stdio"], {
    cwd: directory,
    stdio: ["pipe", "pipe", "ignore"],
  });
  // What it writes to stderr is about its own ending only; errors come as answers.
  const { ask, tell } = converse(server);
  const rootUri = pathToFileURL(directory).href;
  await ask("initialize", { processId: process.pid, rootUri, capabilities, workspaceFolders: null });
  tell("initialized", {});
  const opened = new Map<string, string>();

  const open = async (file: string): Promise<{ uri: string; text: string }> => {
    const path = join(directory, file);
    const uri = pathToFileURL(path).href;
    const text = opened.get(file) ?? (await readFile(path, "utf8"));
    if (!opened.has(file))
      tell("textDocument/didOpen", { textDocument: { uri, languageId: "typescript", version: 1, text } });
    opened.set(file, text);
    return { uri, text };
  };

  return {
    async hover(file, within, what) {
      const { uri, text } = await open(file);
      const position = positionOf(text, within, what);
      const answer = await ask("textDocument/hover", { textDocument: { uri }, position });
      return typeIn((answer as { contents: { value: string } }).contents.value);
    },
    async [Symbol.asyncDispose]() {
      const ended = once(server, "exit");
      try {
        await ask("shutdown");
        tell("exit");
      } catch (error) {
        server.kill();
        throw error;
      }
      await ended;
    },
  };
}

function positionOf(text: string, within: string, what: string): { line: number; character: number } {
  const lines = text.split("\n");
  const line = lines.findIndex((one) => one.includes(within));
  const character = lines[line]?.indexOf(what, lines[line].indexOf(within)) ?? -1;
  assert.ok(character >= 0, `there is no ${what} within ${within}`);
  return { line, character };
}

function typeIn(markdown: string): string {
  const block = /```[a-z]*\n([\s\S]*?)\n```/.exec(markdown);
  assert.ok(block, `there is no type in the hover: ${markdown}`);
  return block[1]!.replaceAll(/\s+/g, " ");
}

/** Requests and notifications over the server's streams, each message behind a header with its length. */
function converse(server: Server): { ask: Ask; tell: Tell } {
  let buffered = Buffer.alloc(0);
  let lastId = 0;
  const open = new Map<number, (message: { result?: unknown; error?: unknown }) => void>();

  const send = (message: object) => {
    const body = JSON.stringify({ jsonrpc: "2.0", ...message });
    server.stdin.write(`Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
  };
  const receive = (message: { id?: number; method?: string; result?: unknown; error?: unknown }) => {
    if (message.id === undefined) return;
    // The server asks for things too (settings, registrations); null is an answer to all that it asks here.
    if (message.method !== undefined) send({ id: message.id, result: null });
    else open.get(message.id)?.(message);
  };

  server.stdout.on("data", (chunk: Buffer) => {
    buffered = Buffer.concat([buffered, chunk]);
    for (;;) {
      const headEnd = buffered.indexOf("\r\n\r\n");
      const length = Number(/Content-Length: (\d+)/.exec(buffered.toString("latin1", 0, Math.max(headEnd, 0)))?.[1]);
      if (headEnd < 0 || buffered.length < headEnd + 4 + length) return;
      receive(JSON.parse(buffered.toString("utf8", headEnd + 4, headEnd + 4 + length)));
      buffered = buffered.subarray(headEnd + 4 + length);
    }
  });

  const ask: Ask = (method, params) =>
    new Promise((resolve, reject) => {
      const id = ++lastId;
      const late = setTimeout(
        () => reject(new Error(`no answer to ${method} within ${answerWithinMs} ms`)),
        answerWithinMs,
      );
      open.set(id, ({ result, error }) => {
        clearTimeout(late);
        open.delete(id);
        if (error === undefined) resolve(result);
        else reject(new Error(`${method}: ${JSON.stringify(error)}`));
      });
      send({ id, method, params });
    });
  return { ask, tell: (method, params) => send({ method, params }) };
}
