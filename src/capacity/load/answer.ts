/**
 * Reads HTTP/1.1 answers from a stream of bytes, as much of them as a load needs: the status, the code of a problem
 * document, and where the answer ends. What it is given are Latin-1 texts, one character for each byte.
 */
import type { Ending } from "./open-loop.ts";

export interface ReadAnswer {
  readonly ending: Ending;
  readonly body: string;
  /** Whether the connection may be used again. */
  readonly keepAlive: boolean;
  /** What came after it. */
  readonly rest: string;
}

const codeForm = /"code"\s*:\s*"([^"]{1,64})"/;
/** An answer of a load's is small; one that is larger than this is refused, characters. */
export const answerLengthMax: number = 4 * 1024 * 1024;

/** The first answer in what was received; undefined while a part of it is missing. */
export function readAnswer(received: string): ReadAnswer | undefined {
  const headEnd = received.indexOf("\r\n\r\n");
  if (headEnd < 0) return undefined;
  const head = received.slice(0, headEnd).toLowerCase();
  const status = Number(head.slice(9, 12));
  const body = bodyOf(received, headEnd + 4, head, status);
  if (body === undefined) return undefined;
  const keepAlive = !head.includes("\r\nconnection: close");
  return { ending: endingOf(status, body.text), body: body.text, keepAlive, rest: received.slice(body.end) };
}

function bodyOf(
  received: string,
  from: number,
  head: string,
  status: number,
): { text: string; end: number } | undefined {
  if (status === 204 || status === 304) return { text: "", end: from };
  const length = /\r\ncontent-length: *(\d+)/.exec(head);
  if (length !== null) {
    const end = from + Number(length[1]);
    return received.length < end ? undefined : { text: received.slice(from, end), end };
  }
  return head.includes("transfer-encoding: chunked") ? chunks(received, from) : { text: "", end: from };
}

function chunks(received: string, from: number): { text: string; end: number } | undefined {
  let text = "";
  for (let at = from; ; ) {
    const lineEnd = received.indexOf("\r\n", at);
    if (lineEnd < 0) return undefined;
    const length = Number.parseInt(received.slice(at, lineEnd), 16);
    const next = lineEnd + 2 + length + 2;
    if (received.length < next) return undefined;
    if (length === 0) return { text, end: next };
    text += received.slice(lineEnd + 2, lineEnd + 2 + length);
    at = next;
  }
}

/** 422 is an error that the operation declares: a reply like any other. */
function endingOf(status: number, body: string): Ending {
  if (status >= 200 && status < 300) return "good";
  if (status === 422) return "declared";
  return codeForm.exec(body)?.[1] ?? `status ${status}`;
}
