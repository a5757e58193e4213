/** Asks the outside world while it is loaded. */
export const answer: string = await fetch("http://127.0.0.1:9/").then((response) => response.text());
