/** The system that the cluster tests run. */
import { defineSystem, implement } from "synod";
import { http } from "synod/http";
import { Counter, List, Register } from "./interfaces.ts";

const register = implement(Register, {
  state: { version: 1, initial: (): { value: number | null } => ({ value: null }) },
  operations: {
    read: (ctx) => ctx.state.value,
    write: (ctx, value) => {
      ctx.state.value = value;
    },
    cas: (ctx, { expected, next }) => {
      if (ctx.state.value !== expected) return false;
      ctx.state.value = next;
      return true;
    },
  },
});

const counter = implement(Counter, {
  state: { version: 1, initial: () => ({ total: 0 }) },
  operations: {
    read: (ctx) => ctx.state.total,
    add: (ctx, amount) => {
      ctx.state.total += amount;
      return ctx.state.total;
    },
  },
});

const list = implement(List, {
  state: { version: 1, initial: (): { elements: number[] } => ({ elements: [] }) },
  operations: {
    read: (ctx) => ctx.state.elements,
    append: (ctx, element) => {
      ctx.state.elements.push(element);
    },
  },
});

export default defineSystem({ name: "workload", services: [register, counter, list], adapters: [http()] });
