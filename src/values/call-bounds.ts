/**
 * What a call may say of whoever made it. Links hold these bounds; what lets calls in from outside holds them as well, or a
 * call would be taken by the owner of its key and fail, later, where it goes on to another node.
 */

/** UTF-8 bytes. */
export const principalBytesMax: number = 1024;
/** UTF-8 bytes; the specification's own form has 55. */
export const traceparentBytesMax: number = 256;
