// The official TypeScript SDK of CDP, with its fixed host: key and secret are in the environment.
import { CdpClient } from "@coinbase/cdp-sdk";

const account = process.env.ACCOUNT;
const page = await new CdpClient().accounts.listBalances({ accountId: account, pageSize: 100 });
console.log(JSON.stringify(page.balances.map((row) => row.asset.symbol)));
process.exit(0);
