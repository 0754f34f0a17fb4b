#!/bin/sh
# Installs mockserver into an environment of its own, grades a client, and writes the reports.
#
#   CERTIFY_PROVIDER=cpg CERTIFY_COMMAND="node client.js" sh certify.sh
#
# Also: CERTIFY_REQUIREMENTS, CERTIFY_EXPECTED_FAILURES, CERTIFY_PACKAGE (what pip installs),
# CERTIFY_FOLDER (for the reports), CERTIFY_MOCKSERVER (an installed command, nothing is installed).
# The exit status is that of `mockserver certify`.
set -eu

: "${CERTIFY_PROVIDER:?the provider, such as cpg}" "${CERTIFY_COMMAND:?the command of the client}"
folder=${CERTIFY_FOLDER:-certify-report}
mkdir -p "$folder"

mockserver=${CERTIFY_MOCKSERVER:-}
if [ -z "$mockserver" ]; then
  environment=$(mktemp -d)
  trap 'rm -rf "$environment"' EXIT
  python3 -m venv "$environment"
  "$environment/bin/pip" install --quiet "${CERTIFY_PACKAGE:-exchange-mockserver[certify]}"
  mockserver=$environment/bin/mockserver
fi

set -- --provider "$CERTIFY_PROVIDER" --html "$folder/card.html" --json "$folder/card.json" \
  --junit "$folder/junit.xml" --badge "$folder/badge.json"
[ -z "${CERTIFY_REQUIREMENTS:-}" ] || set -- "$@" --requirements "$CERTIFY_REQUIREMENTS"
[ -z "${CERTIFY_EXPECTED_FAILURES:-}" ] ||
  set -- "$@" --expected-failures "$CERTIFY_EXPECTED_FAILURES"

case $CERTIFY_COMMAND in
  *[!A-Za-z0-9_.:]*) set -- "$@" -- sh -c "$CERTIFY_COMMAND" ;; # a line for the shell
  *) set -- "$@" -- "$CERTIFY_COMMAND" ;;
esac
status=0
PYTHONPATH=${PYTHONPATH:-.} "$mockserver" certify "$@" >"$folder/card.txt" || status=$?
cat "$folder/card.txt"
if [ -n "${GITHUB_STEP_SUMMARY:-}" ]; then
  printf '```text\n%s\n```\n' "$(tail -n 1 "$folder/card.txt")" >>"$GITHUB_STEP_SUMMARY"
fi
exit "$status"
