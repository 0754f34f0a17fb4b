#!/bin/sh
# Tests portfolio.sh against the server whose variables are set (deploy/ci/start.sh writes them).
set -eu
cd "$(dirname "$0")"

echo "a rate limit is waited out"
mockserver fail cpg --requests 1 --reject rate_limited >/dev/null
sh portfolio.sh >/dev/null
mockserver verify --provider cpg --reason rate_limited --exactly 1 >/dev/null

echo "the documented row is there"
sh portfolio.sh | grep -q '"1500.000000"'

echo "a wrong secret is reported, and status 1"
if CPG_SECRET=wrong sh portfolio.sh 2>error.txt; then exit 1; fi
grep -q '^401: .*Invalid signature' error.txt
rm error.txt
mockserver reset >/dev/null
