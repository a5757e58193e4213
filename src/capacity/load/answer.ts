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

/** Where the next answer on the connection would begin cannot be told. */
const notHttp: ReadAnswer = { ending: "not HTTP", body: "", keepAlive: false, rest: "" };
const lengthForm = /\r\ncontent-length:[ \t]*(\d+)/;
const chunkedForm = /\r\ntransfer-encoding:[^\r]*\bchunked\b/;
const closeForm = /\r\nconnection:[^\r]*\bclose\b/;

interface Body {
  readonly text: string;
  readonly end: number;
}

/** The first answer in what was received; undefined while a part of it is missing. `hasEnded`: nothing more will come. */
export function readAnswer(received: string, hasEnded: boolean): ReadAnswer | undefined {
  for (let from = 0; ; ) {
    const headEnd = received.indexOf("\r\n\r\n", from);
    if (headEnd < 0) return undefined;
    const head = received.slice(from, headEnd).toLowerCase();
    const status = Number(head.slice(9, 12));
    if (!(head.startsWith("http/1.") && status >= 100)) return notHttp;
    from = headEnd + 4;
    // An interim answer, such as 103: the one that counts comes behind it.
    if (status < 200) continue;
    const body = bodyOf(received, from, head, status, hasEnded);
    if (body === undefined || body === "broken") return body && notHttp;
    const keepAlive = !(hasEnded || closeForm.test(head));
    return { ending: endingOf(status, body.text), body: body.text, keepAlive, rest: received.slice(body.end) };
  }
}

function bodyOf(
  received: string,
  from: number,
  head: string,
  status: number,
  hasEnded: boolean,
): Body | "broken" | undefined {
  if (status === 204 || status === 304) return { text: "", end: from };
  const length = lengthForm.exec(head);
  if (length !== null) {
    const end = from + Number(length[1]);
    return received.length < end ? undefined : { text: received.slice(from, end), end };
  }
  if (chunkedForm.test(head)) return chunks(received, from);
  // One without a length ends with its connection (RFC 9112, section 6.3).
  return hasEnded ? { text: received.slice(from), end: received.length } : undefined;
}

function chunks(received: string, from: number): Body | "broken" | undefined {
  let text = "";
  for (let at = from; ; ) {
    const lineEnd = received.indexOf("\r\n", at);
    if (lineEnd < 0) return undefined;
    const length = Number.parseInt(received.slice(at, lineEnd), 16);
    if (!(length >= 0)) return "broken";
    if (length === 0) {
      // Trailers may stand between the last chunk and the empty line.
      const end = received.indexOf("\r\n\r\n", lineEnd);
      return end < 0 ? undefined : { text, end: end + 4 };
    }
    const next = lineEnd + 2 + length + 2;
    if (received.length < next) return undefined;
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
