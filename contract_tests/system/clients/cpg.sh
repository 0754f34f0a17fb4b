#!/bin/sh
# A client of the Crypto Payment Gateway for `mockserver certify`: curl, openssl and jq.
set -u

fail() {
  printf '%s\n' "$1" >&2
  exit 1
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

query=${MOCKSERVER_FILTER_CURRENCY:+currency=$(printf %s "$MOCKSERVER_FILTER_CURRENCY" | jq -sRr @uri)}
empty=$(printf '' | openssl dgst -sha256 -r | cut -d' ' -f1)
pause=1
last=0
while :; do
  now=$(date +%s)
  [ "$now" -le "$last" ] && now=$((last + 1)) # no signature twice
  last=$now
  signature=$(printf '%s\nGET\n/v1/balances\n%s\n%s' "$now" "$query" "$empty" |
    openssl dgst -sha256 -hmac "$MOCKSERVER_SECRET" -r | cut -d' ' -f1)
  status=$(curl -q -sS --max-time 2 --noproxy '*' -o "$work/body" -D "$work/head" -w '%{http_code}' \
    -H "X-CPG-Key: $MOCKSERVER_KEY_ID" -H "X-CPG-Timestamp: $now" \
    -H "X-CPG-Signature: $signature" "$MOCKSERVER_BASE_URL/v1/balances${query:+?$query}" 2>"$work/error")
  ended=$?
  asked=0
  if [ "$ended" -ne 0 ]; then
    message="the request failed: curl ended with $ended"
  elif [ "$status" = 200 ]; then
    break
  else
    message="$status: $(head -c 300 "$work/body" | tr -d '\000-\011\013-\037')"
    case $status in
      429) asked=$(sed -n 's/^[Rr]etry-[Aa]fter: *\([0-9][0-9]*\).*/\1/p' "$work/head") ;;
      401) case $message in *"already been used"*) ;; *) fail "$message" ;; esac ;;
      5??) ;;
      *) fail "$message" ;;
    esac
  fi
  [ "${asked:-0}" -gt "$pause" ] && pause=$asked
  [ "$pause" -gt 2 ] && fail "$message"
  sleep "$pause"
  pause=$((pause * 2))
done

iconv -f UTF-8 -t UTF-8 "$work/body" >/dev/null 2>&1 || fail "the answer is not UTF-8"
jq -c -s '
  def amount: if type == "string" and test("^[0-9]+([.][0-9]+)?$") then . else error("no amount") end;
  def name: if type == "string" and . != "" then . else error("no name") end;
  if length != 1 or (.[0].data | type) != "array" then error("no rows") else .[0].data end
  | map({ asset: (.currency | name), network: (.network | name), total: (.balance | amount),
          held: (.held | amount), available: (.available | amount) })
' "$work/body" 2>"$work/error" || fail "the answer is not as documented: $(head -c 200 "$work/error")"
