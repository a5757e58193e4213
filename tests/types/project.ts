/**
 * A project as users have it: a directory of its own somewhere else, with `synod` and `zod` in its node_modules
 * and a plain tsconfig. Type tests compile in it, ask its language server, and run its files.
 */
import { type ExecFileException, execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** The compiler's own entry, to be run by Node. */
export const compiler: string = join(root, "node_modules/typescript/bin/tsc");

const tsconfig = {
  compilerOptions: {
    target: "es2024",
    lib: ["es2024", "esnext.disposable"],
    module: "nodenext",
    types: ["node"],
    customConditions: ["synod-source"],
    strict: true,
    // Users may export what they define from packages of their own.
    declaration: true,
    noEmit: true,
    allowImportingTsExtensions: true,
    erasableSyntaxOnly: true,
    verbatimModuleSyntax: true,
    skipLibCheck: true,
  },
};

const packageJson = { name: "a-users-project", private: true, type: "module" };

/** One message of the compiler. */
export interface Diagnostic {
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** All of its lines. */
  readonly message: string;
}

export interface Project extends AsyncDisposable {
  readonly directory: string;
  /** What the compiler says to the whole project. */
  check(): Promise<readonly Diagnostic[]>;
  /** Runs a file from source; rejects with its output unless it exits with 0 within 60 s. */
  run(file: string): Promise<string>;
}

export async function createProject(files: Readonly<Record<string, string>>): Promise<Project> {
  const directory = await mkdtemp(join(tmpdir(), "synod-types-"));
  const modules = join(directory, "node_modules");
  await mkdir(modules);
  await symlink(root, join(modules, "synod"));
  for (const name of ["zod", "@types", "@standard-schema"])
    await symlink(join(root, "node_modules", name), join(modules, name));
  const contents = { ...files, "tsconfig.json": JSON.stringify(tsconfig), "package.json": JSON.stringify(packageJson) };
  for (const [name, text] of Object.entries(contents)) await writeFile(join(directory, name), text);
  return {
    directory,
    check: async () =>
      diagnosticsIn((await execute([compiler, "-p", "tsconfig.json", "--pretty", "false"], directory)).output),
    run: async (file) => {
      const { output, failure } = await execute(["--conditions=synod-source", file], directory);
      if (failure) throw new Error(`${file} failed: ${output}`, { cause: failure });
      return output;
    },
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true }),
  };
}

interface Execution {
  /** Both streams. */
  readonly output: string;
  readonly failure: ExecFileException | null;
}

function execute(commandLine: readonly string[], directory: string): Promise<Execution> {
  return new Promise((resolve) => {
    // A program that has tests of its own is not to report them to the runner of these.
    const env = { ...process.env, NODE_TEST_CONTEXT: undefined };
    const options = { cwd: directory, env, timeout: 60_000, maxBuffer: 16 * 1024 * 1024 };
    execFile(process.execPath, commandLine, options, (failure, stdout, stderr) =>
      resolve({ output: stdout + stderr, failure }),
    );
  });
}

function diagnosticsIn(output: string): readonly Diagnostic[] {
  const diagnostics: Diagnostic[] = [];
  for (const line of output.split("\n")) {
    const start = /^(.+?)\((\d+),\d+\): error TS\d+: (.*)$/.exec(line);
    const last = diagnostics.at(-1);
    if (start) diagnostics.push({ file: start[1]!, line: Number(start[2]), message: start[3]! });
    else if (last && line.startsWith(" ")) diagnostics.splice(-1, 1, { ...last, message: `${last.message}\n${line}` });
    else if (line.trim() !== "") throw new Error(`the compiler said something else: ${output}`);
  }
  return diagnostics;
}
