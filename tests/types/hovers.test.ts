/** What an editor shows over the parts of a service is short and speaks of the user's own types. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, describe, test } from "node:test";
import { type LanguageServer, startLanguageServer } from "./language-server.ts";
import { createProject, type Project } from "./project.ts";

const source = (name: string) => readFile(new URL(name, import.meta.url), "utf8");

describe("hovers", () => {
  let project: Project;
  let server: LanguageServer;

  before(async () => {
    const files = { "contracts.ts": await source("./contracts.ts"), "accepted.ts": await source("./accepted.ts") };
    project = await createProject(files);
    server = await startLanguageServer(project.directory);
  });
  after(async () => {
    await server[Symbol.asyncDispose]();
    await project[Symbol.asyncDispose]();
  });

  const withdrawal = "{ amount: number; }, { balance: number; }, { insufficientFunds: { balance: number; }; }";

  /** File, a line of it, the place in the line, and what stands in the hover. */
  const exact: [string, string, string, string][] = [
    [
      "accepted.ts",
      "deposit: (ctx, { amount })",
      "ctx",
      '(parameter) ctx: CommandContext<string, { balance: number; }, {}, "rates">',
    ],
    ["accepted.ts", "deposit: (ctx, { amount })", "amount", "(parameter) amount: number"],
    [
      "accepted.ts",
      "withdraw: async (ctx, { amount })",
      "ctx",
      '(parameter) ctx: CommandContext<string, { balance: number; }, { insufficientFunds: { balance: number; }; }, "rates">',
    ],
    [
      "accepted.ts",
      "balance: (ctx) => ctx.state",
      "ctx",
      '(parameter) ctx: QueryContext<string, { balance: number; }, {}, "rates">',
    ],
    [
      "accepted.ts",
      "ctx.state.balance += amount",
      "state",
      '(property) CommandContext<string, { balance: number; }, {}, "rates">.state: { balance: number; }',
    ],
    [
      "accepted.ts",
      "balance: (ctx) => ctx.state",
      "state",
      '(property) QueryContext<string, { balance: number; }, {}, "rates">.state: { readonly balance: number; }',
    ],
    [
      "accepted.ts",
      "correct: async (ctx, { rate })",
      "ctx",
      '(parameter) ctx: StatelessCommandContext<{}, "account" | "transfer">',
    ],
    [
      "accepted.ts",
      "{ id: ctx.request.id }).deposit",
      "deposit",
      "(property) deposit: (input: { readonly amount: number; }) => Promise<{ balance: number; }>",
    ],
    [
      "accepted.ts",
      "ctx.to(Account, ctx.key).balance",
      "balance",
      "(property) balance: () => Promise<{ balance: number; }>",
    ],
    [
      "accepted.ts",
      "deposit: (ctx, { amount: sum })",
      "ctx",
      '(parameter) ctx: CommandContext<string, { balance: number; }, {}, never> & Sending<"account" | "rates" | "transfer", { deposit: { amount: number; }; withdraw: { amount: number; }; }>',
    ],
    [
      "accepted.ts",
      'ctx.timer("hold").set({ after: "15m" }).withdraw',
      "withdraw",
      "(property) withdraw: (input: { readonly amount: number; }) => void",
    ],
    [
      "accepted.ts",
      "place: async (ctx, { amount })",
      "ctx",
      '(parameter) ctx: DurableContext<string, { paid: number; }, { tooPoor: { balance: number; }; }, "account" | "rates">',
    ],
    [
      "contracts.ts",
      "  place: command",
      "place",
      "(property) place: DurableCommand<{ amount: number; }, number, { tooPoor: { balance: number; }; }>",
    ],
    ["accepted.ts", "toAccount.withdraw.safe", "withdraw", `(property) withdraw: Call<${withdrawal}>`],
    [
      "accepted.ts",
      "const taken",
      "taken",
      "const taken: Result<{ balance: number; }, { insufficientFunds: { balance: number; }; }>",
    ],
    [
      "contracts.ts",
      "  deposit: command",
      "deposit",
      "(property) deposit: Command<{ amount: number; }, { balance: number; }, {}>",
    ],
    [
      "contracts.ts",
      "const Account",
      "Account",
      `const Account: Interface<"account", string, { deposit: Command<{ amount: number; }, { balance: number; }, {}>; withdraw: Command<${withdrawal}>; balance: Query<void, { balance: number; }, {}>; }>`,
    ],
  ];
  for (const [file, within, over, type] of exact) {
    test(`over ${over} in "${within}" stands ${type}`, async () => {
      assert.equal(await server.hover(file, within, over), type);
    });
  }

  /** Longer ones, in which only names that users know may stand. */
  const known: [string, string, string][] = [
    ["accepted.ts", 'ctx.fail("insufficientFunds"', "fail"],
    ["accepted.ts", "ctx.to(Rates, { timeout", "to"],
    ["accepted.ts", "toAccount.withdraw.safe", "safe"],
    ["accepted.ts", "toTransfer.start({", "start"],
    ["accepted.ts", "ctx.send(Rates, {", "send"],
    ["accepted.ts", 'ctx.timer("hold").cancel', "timer"],
    ["accepted.ts", "const account", "account"],
    ["accepted.ts", "const transfer", "transfer"],
  ];
  const internal =
    /\b(Definition|Handlers|ContextOf|KeyedContext|ErrorTypes|CommandInputs|SendingOf|Receiving|SendAddress|TypeOf|OneOrBoth|Taken|Returned|Listed|Address|KeyOf|CallOf|InputArguments|AsJson|Zod\w+)\b|\.\.\./;
  for (const [file, within, over] of known) {
    test(`over ${over} in "${within}" stands no name that only Synod knows`, async () => {
      const type = await server.hover(file, within, over);
      assert.ok(type.length < 800, type);
      assert.doesNotMatch(type, internal);
    });
  }
});
