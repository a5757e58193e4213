// Stops with one sentence where Node is too old to run Synod. It is imported before anything else and
// also runs before `npm test` and `npm run check`, so it must load under any Node that knows modules: no
// newer syntax, and no import that an old Node may not have.
import fs from "node:fs";

const oldestMajor = 24;
const version = process.versions.node;

// Where the npm package `node` is installed, as in a clone, it brings the right version, unless npm skipped its install script;
// and npm and npx take that one.
const isBrought = fs.existsSync("node_modules/node/package.json");
const isThere = fs.existsSync("node_modules/node/bin/node");
const bring = isThere
  ? "use `npx synod` in this folder, which has one"
  : "run `npm rebuild node` in this folder, which brings one";
const advice = isBrought ? `${bring}, or install it` : "install it";

if (Number(version.split(".")[0]) < oldestMajor) {
  console.error(
    `Synod needs Node ${oldestMajor} or newer and this is Node ${version}: ${advice} from https://nodejs.org.`,
  );
  process.exit(1);
}
