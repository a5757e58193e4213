/** A module of CommonJS that keeps something. */
let count = 0;
module.exports = { counted: () => ++count };
