#!/usr/bin/env bash
# Asks MediDesk over HTTP: ask.sh "a question" [phone]
set -euo pipefail
url="${MEDIDESK_URL:-http://127.0.0.1:8080}"
text="${1:-What are your visiting hours?}"
phone="${2:-+15550109999}"

# The request as JSON; python3 does the quoting. The id makes a repetition harmless.
request() {
  python3 -c 'import json, sys, uuid
print(json.dumps({"inbound": {"phone": sys.argv[1], "text": sys.argv[2], "messageId": str(uuid.uuid4())}}))' "$phone" "$text"
}

# The token goes through a file descriptor: an argument would stand in the list of processes.
ask() {
  curl --silent --show-error --fail-with-body --no-buffer --max-time 30 --retry 2 \
    --header @<(if [[ -n "${MEDIDESK_TOKEN:-}" ]]; then printf 'Authorization: Bearer %s\n' "$MEDIDESK_TOKEN"; fi) \
    --header 'Content-Type: application/json' --data @- "$url$1"
}

echo "Reply:"
request | ask /v1/assistant:reply
echo
echo "StreamReply:"
request | ask /v1/assistant:streamReply # one JSON object a line; the last one holds the result
