/** How much is fuzzed: a fixed share by default, so that every run of the tests is the same. */

/** Cases per test. */
export const rounds: number = Number(process.env.FUZZ_ROUNDS ?? 1_500);
/** The first seed. */
export const start: number = Number(process.env.FUZZ_START ?? 1);
