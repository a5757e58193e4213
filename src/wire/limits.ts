/**
 * The bounds of what a frame carries, checked by the side that writes and again by the side that reads.
 * They belong to the protocol: a smaller one would refuse what a neighbouring version sends.
 */

export { principalBytesMax, traceparentBytesMax } from "../values/call-bounds.ts";

/** A frame before the peer has proved who it is; a hello needs a few hundred bytes. */
export const helloFrameBytesMax: number = 4 * 1024;
/** The least that a node may announce as its longest frame. */
export const frameBytesMaxLeast: number = 64 * 1024;
/** Everything of a call or a reply but its payload: see the field bounds below. */
export const headBytesMax: number = 32 * 1024;

/** System, node, service and operation. */
export const nameBytesMax: number = 256;
export const keyBytesMax: number = 4 * 1024;
export const sessionBytesMax: number = 256;
/** The scoped id of a command, and the name of a request. */
export const commandIdBytesMax: number = 256;
export const requestBytesMax: number = 512;
/** Numbers below the floor's number that are still open. */
export const openNumbersMax: number = 1_000;
export const codeBytesMax: number = 256;
/** Messages are for people; longer ones are cut. */
export const messageBytesMax: number = 4 * 1024;
export const nonceBytes: number = 32;
export const proofBytes: number = 32;
