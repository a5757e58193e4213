#!/usr/bin/env node
// The command `synod`. Plain JavaScript without newer syntax or imports, so that an old Node gets the
// sentence of node-version.js and not a SyntaxError. In a clone it runs the sources: imports of "synod" by
// a system file then resolve to them too, through the export condition `synod-source`.
import "./node-version.js";
import fs from "node:fs";

const source = new URL("../src/cli/main.ts", import.meta.url);

function run(module) {
  // Halves the work of a start, and so the wait for a node that starts again.
  module.enableCompileCache();
  if (!fs.existsSync(source)) return import("../dist/cli/main.js");
  module.registerHooks({
    resolve(specifier, context, nextResolve) {
      const conditions = context.conditions.concat(["synod-source"]);
      return nextResolve(specifier, Object.assign({}, context, { conditions }));
    },
  });
  return import(source.href);
}

import("node:module").then(run);
