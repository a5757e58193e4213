/**
 * When the ferry leaves again. What has gathered while it was away may leave the moment it is back, or wait until those
 * who arrived with it have sent what they do next, and take that along.
 *
 * To wait makes fewer, fuller crossings, of which each is synced once: right where the crossing takes long. But the store has
 * nothing to do meanwhile, and while it writes nobody here has: so where a turn takes this thread about as long as the
 * store a commit, half of the time of both is lost. It is measured, because no number suits all disks.
 *
 * With several ferries the others are on their way meanwhile: there each waits, because fuller crossings cost both sides less.
 */

/** What the last measurement counts for against all before it. */
const newPart = 1 / 8;
/** A turn that takes longer than this part of a commit is not waited for: the rest of a commit grows with what is in it, and is saved by nobody. */
const turnPartMax = 1 / 2;
/** Parts of a commit, and of what has gathered, below which nothing is measured nor sent early: there a sync is all that counts. */
const lengthMin = 8;
/** A load smaller than this part of the one that came back waits all the same: it would have a sync for itself. */
const gatheredPartMin = 1 / 4;

export class Pace {
  /** Whether no other lane's commits are at work while this one's waits. */
  readonly #isAlone: boolean;
  #storeMs = 0;
  #turnMs = 0;

  /** `lanes` of the node, this one among them. */
  constructor(lanes: number) {
    this.#isAlone = lanes === 1;
  }

  /** Whether a commit of so many parts is one to measure by. */
  measures(length: number): boolean {
    return this.#isAlone && length >= lengthMin;
  }

  /** How long the store took for a commit, from sending it until the answer was here. */
  committed(ms: number): void {
    this.#storeMs += (ms - this.#storeMs) * newPart;
  }

  /** How long it took to do what was due when the answer came: the replies, and what the commands do next. */
  turned(ms: number): void {
    this.#turnMs += (ms - this.#turnMs) * newPart;
  }

  /** Whether as many parts as have gathered leave at once; `arrived` came back. */
  hurries(gathered: number, arrived: number): boolean {
    const isLoad = gathered >= lengthMin && gathered >= arrived * gatheredPartMin;
    return this.#isAlone && isLoad && this.#turnMs > this.#storeMs * turnPartMax;
  }
}
