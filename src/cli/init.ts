/** `synod init`: a new project that works, made from the files in templates/project and what this package needs. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { UsageError } from "./exit.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const templates = join(root, "templates/project");
/** What the templates are called; every file with this word in it gets the project's own name. */
const templateName = "new-system";

interface Package {
  readonly version: string;
  readonly devDependencies: Readonly<Record<string, string>>;
}

export interface InitOptions {
  readonly json: boolean;
}

export async function init(folder: string, { json }: InitOptions): Promise<void> {
  const name = nameFor(folder);
  refuseUsed(folder);
  const files = filesOf(name, folder);
  mkdirSync(folder, { recursive: true });
  for (const [file, text] of files) writeFileSync(join(folder, file), text, { flag: "wx" });
  const next = nextSteps(folder);
  if (json) console.log(JSON.stringify({ name, folder: resolve(folder), files: [...files.keys()], next }));
  else console.log(`${name}: a counter on three nodes, with a test and a simulation\n\n  ${next.join("\n  ")}`);
}

/** The folder's own name, as a system can be called. */
function nameFor(folder: string): string {
  const name = basename(resolve(folder)).toLowerCase();
  if (/^[a-z][a-z0-9-]{0,62}$/.test(name)) return name;
  const rule = "letters, digits and hyphens, at most 63, a letter first";
  throw new UsageError(`A system is called as its folder is: "${name}" should have ${rule}.`);
}

function refuseUsed(folder: string): void {
  if (!existsSync(folder)) return;
  const found = readdirSync(folder).filter((entry) => entry !== ".git");
  if (found.length === 0) return;
  const shown = found.slice(0, 3).join(", ");
  const more = found.length > 3 ? `, and ${found.length - 3} more` : "";
  throw new UsageError(`${folder} is not empty (${shown}${more}): nothing was written. Name a new folder.`);
}

/** By their names in the project. */
function filesOf(name: string, folder: string): ReadonlyMap<string, string> {
  const own = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as Package;
  const files = new Map(
    readdirSync(templates).map((file) => [
      file,
      readFileSync(join(templates, file), "utf8").replaceAll(templateName, name),
    ]),
  );
  files.set("package.json", asText(packageOf(name, folder, own)));
  files.set("tsconfig.json", asText(tsconfig));
  files.set(".gitignore", "node_modules/\n.synod/\n");
  return files;
}

function packageOf(name: string, folder: string, { version, devDependencies }: Package): object {
  const at = (dependency: string) => `^${devDependencies[dependency]}`;
  return {
    name,
    private: true,
    type: "module",
    engines: { node: ">=24" },
    scripts: {
      start: "synod up system.ts",
      // A Node that is too old for TypeScript finds no tests by itself and calls that passed; of a pattern it says so.
      test: 'node --test "**/*.test.ts"',
      sim: "synod sim counter.scenario.ts --seeds 50",
      check: "tsc",
    },
    dependencies: { synod: isClone() ? `file:${relative(resolve(folder), root)}` : `^${version}`, zod: at("zod") },
    devDependencies: {
      "@types/node": at("@types/node"),
      // Like the clone, which an older Node starts: the right one comes with `npm install`.
      ...(isClone() && { node: at("node") }),
      typescript: at("typescript"),
    },
    ...(isClone() && { allowScripts: { node: true } }),
  };
}

const tsconfig = {
  compilerOptions: {
    target: "es2024",
    lib: ["es2024", "esnext.disposable"],
    module: "nodenext",
    types: ["node"],
    strict: true,
    noEmit: true,
    allowImportingTsExtensions: true,
    erasableSyntaxOnly: true,
    verbatimModuleSyntax: true,
    noUncheckedIndexedAccess: true,
    skipLibCheck: true,
  },
};

function asText(value: object): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

/** Whether this is Synod's own clone, and not the published package. */
function isClone(): boolean {
  return existsSync(join(root, "src/index.ts"));
}

function nextSteps(folder: string): readonly string[] {
  const here = relative(process.cwd(), resolve(folder));
  const enter = here === "" ? [] : [`cd ${here}`];
  // Its tests import the package as it is published.
  const build =
    isClone() && !existsSync(join(root, "dist/index.js")) ? [`npm run build --prefix ${dirname(join(root, "x"))}`] : [];
  return [...enter, ...build, "npm install", "npm start"];
}
