// Node's fetch by the proxy of the environment, as undici lets it be.
import { EnvHttpProxyAgent, fetch, setGlobalDispatcher } from "undici";

setGlobalDispatcher(new EnvHttpProxyAgent());
const answer = await fetch("https://global.ems.coinapi.net/v1/balances?apikey=00000000-EMPTY-KEY");
console.log(JSON.stringify({ status: answer.status, body: await answer.json() }));
