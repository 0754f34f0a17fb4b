// What Node's own fetch makes of hurt answers, all asked for at once.
// stdin:  {"urls", "headers", "patience" (milliseconds)}
// stdout: [{"status", "body" (base64)} or {"error"}], in the order of the URLs

import { Buffer } from "node:buffer";
import process from "node:process";
import { json } from "node:stream/consumers";

const { urls, headers, patience } = await json(process.stdin);

async function probe(url) {
  try {
    const answer = await fetch(url, { headers, signal: AbortSignal.timeout(patience) });
    const body = Buffer.from(await answer.arrayBuffer());
    return { status: answer.status, body: body.toString("base64") };
  } catch (error) {
    const code = error.cause?.code;
    return { error: code ? `${error.name}, ${code}` : error.name };
  }
}

process.stdout.write(JSON.stringify(await Promise.all(urls.map(probe))));
