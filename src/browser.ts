/**
 * What `synod` is in a browser: as much of it as a file of interfaces needs, so that the very file that a system is
 * built on types the calls of `synod/client`. Services and systems run on Node.
 */
export { SynodError } from "./errors.ts";
export { command, defineInterface, query } from "./service/interface.ts";
